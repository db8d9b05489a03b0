//! The app's own letter: this type, and the folder `templates/confirm_signup`.

use gatepost_mail::{Letter, Secret};
use serde::Serialize;

/// Confirm that the address is yours.
#[derive(Debug, Serialize)]
pub struct ConfirmSignup {
    /// How they want to be called.
    pub name: String,
    /// The link; sealed while it waits, erased once it is sent.
    pub link: Secret<String>,
}

impl Letter for ConfirmSignup {
    const TEMPLATE: &'static str = "confirm_signup";

    fn sample() -> Self {
        Self {
            name: "Ганна".to_owned(),
            link: "https://shop.example/activate?token=t".to_owned().into(),
        }
    }
}
