//! The token that a form of somebody who is logged in carries: another site cannot know it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::app::App;
use crate::keyed;

/// Of one session of one kind: a keyed hash of its id, so that nothing has to be remembered.
pub(crate) fn token(app: &App, kind: &str, session: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(mac(app, kind, session).finalize().into_bytes())
}

/// Whether a form brought the token of this session. Compared in constant time.
pub(crate) fn is_right(app: &App, kind: &str, session: &[u8], brought: &str) -> bool {
    let Ok(brought) = URL_SAFE_NO_PAD.decode(brought) else {
        return false;
    };
    mac(app, kind, session).verify_slice(&brought).is_ok()
}

fn mac(app: &App, kind: &str, session: &[u8]) -> Hmac<Sha256> {
    let key = app.tokens.tokens().keys().derive("gatepost forms");
    keyed::mac(key.as_ref(), kind, session)
}
