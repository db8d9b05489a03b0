//! From what somebody typed to what is valid, with every fault beside its field.

use serde::Deserialize;

use crate::accounts::{Email, Password};
use crate::app::App;
use crate::http::pages::Fault;
use crate::http::{Code, Problem};

/// What a form sends that asks for an address and a password.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    #[serde(default)]
    pub(crate) email: String,
    #[serde(default)]
    password: String,
}

impl Credentials {
    /// Both, if both are valid. The password is taken out: no page shows it again.
    pub(crate) fn read(&mut self) -> Result<(Email, Password), Vec<Fault>> {
        let mut reader = Reader::default();
        let (email, password) = (
            reader.email(&self.email),
            reader.password("password", std::mem::take(&mut self.password)),
        );
        match (email, password) {
            (Some(email), Some(password)) => Ok((email, password)),
            _ => Err(reader.faults),
        }
    }
}

/// Reads the fields of a form, and collects what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What is wrong so far.
    pub(crate) faults: Vec<Fault>,
}

impl Reader {
    /// The field `email`.
    pub(crate) fn email(&mut self, typed: &str) -> Option<Email> {
        if typed.trim().is_empty() {
            self.faults.push(Fault::new("required").on("email"));
            return None;
        }
        let email = typed.parse().ok();
        if email.is_none() {
            self.faults.push(Fault::new("invalid_email").on("email"));
        }
        email
    }

    /// A password in the field `name`. Whether it may be chosen is found out later.
    pub(crate) fn password(&mut self, name: &'static str, typed: String) -> Option<Password> {
        if typed.is_empty() {
            self.faults.push(Fault::new("required").on(name));
            return None;
        }
        match Password::parse(typed) {
            Ok(password) => Some(password),
            Err(unusable) => {
                let code = if unusable == crate::accounts::password::Unusable::TooLong {
                    "password_too_long"
                } else {
                    "invalid"
                };
                self.faults.push(
                    Fault::new(code)
                        .on(name)
                        .detail(format!("The password {unusable}.")),
                );
                None
            }
        }
    }
}

/// What a form shows beside the field `password` (or above the form), or the problem again if it is none that
/// typing something else would mend.
pub(crate) fn fault(app: &App, problem: Problem, password: &'static str) -> Result<Fault, Problem> {
    let code = problem.code();
    if code.is_of_credentials() {
        problem.log();
    }
    let fault = Fault::new(code.as_str()).detail(problem.text());
    match code {
        Code::PasswordTooShort => Ok(fault.on(password).min(app.config.accounts.min_password_length)),
        Code::PasswordTooLong | Code::PasswordCommon | Code::PasswordContextual => Ok(fault.on(password)),
        Code::InvalidCredentials | Code::AccountNotActive => Ok(fault),
        _ => Err(problem),
    }
}
