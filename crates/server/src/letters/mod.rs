//! What people and programs decide about letters, each decision with its line in the audit. The API and the
//! command line both call these, so that they cannot differ.

mod decide;
mod pause;
mod suppress;

pub(crate) use decide::{cancel, cancel_template, resend};
pub(crate) use pause::{pause, resume};
pub(crate) use suppress::{suppress, unsuppress};
