//! `gatepost mail resend`.

use uuid::Uuid;

use crate::letters;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) async fn run(context: &Context, id: Uuid) -> Result<(), Failure> {
    let app = context.app().await?;
    let again = letters::resend(&app, id, "cli").await?;
    context.answer(&serde_json::json!({ "id": again, "repeats": id }), || {
        again.to_string()
    })
}
