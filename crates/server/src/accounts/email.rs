//! The address of an account: as it was given, and as it is compared.

use gatepost_mail::EmailAddress;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// An address together with its canonical form, which is the key of a person. It is computed here and not
/// by the database, whose idea of small letters depends on where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    address: EmailAddress,
    canonical: String,
}

impl Email {
    /// The address as it was given, tidied.
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }

    /// The address as it is compared.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl From<EmailAddress> for Email {
    fn from(address: EmailAddress) -> Self {
        let canonical = address.canonical();
        Self { address, canonical }
    }
}

impl std::str::FromStr for Email {
    type Err = gatepost_mail::AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse::<EmailAddress>().map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .max_length(Some(254))
            .build()
            .into()
    }
}

impl ToSchema for Email {}
