//! The hosted pages, walked as a person walks them.

mod account;
mod forms;
mod links;
mod people;
