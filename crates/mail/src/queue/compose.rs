//! From a request to what the reader sees.

use serde_json::{Value, json};

use super::MailerSettings;
use crate::wire::{Content, MailRequest};
use crate::{Error, Rendered, Templates};

/// Longest title made of a message that has none, in characters.
const MADE_TITLE: usize = 60;

/// Renders a request, with the parts that it brings along in place of the template's.
pub(crate) fn compose(
    templates: &Templates,
    request: &MailRequest,
    settings: &MailerSettings,
) -> Result<Rendered, Error> {
    let locale = request.locale.as_deref().unwrap_or(&settings.default_locale);
    let mut rendered = match &request.content {
        Content::Template { name, data } => {
            templates.render_raw(name, locale, &Value::Object(data.clone()))?
        }
        Content::Message(message) => {
            let title = request.subject().map(str::trim).filter(|title| !title.is_empty());
            let title = title.map_or_else(|| made_title(&message.message), str::to_owned);
            let heading = message
                .title
                .as_deref()
                .map(str::trim)
                .filter(|title| !title.is_empty())
                .unwrap_or(&title);
            let mut data = json!({ "title": heading, "message": message.message });
            // A picture that nobody brought would be a broken one.
            let shown = |url: &&String| match url.strip_prefix("cid:") {
                Some(cid) => settings.has_picture(cid, &request.attachments),
                None => url.starts_with("https://") || url.starts_with("http://"),
            };
            if let Some(logo_url) = message.logo_url.as_ref().filter(shown) {
                data["logo_url"] = json!(logo_url);
            }
            let mut rendered = templates.render_raw(request.template(), locale, &data)?;
            rendered.subject = title;
            if let Some(html) = &message.html_content {
                rendered.html.clone_from(html);
            }
            rendered
        }
    };
    if let Some(subject) = request
        .subject
        .as_deref()
        .map(str::trim)
        .filter(|subject| !subject.is_empty())
    {
        subject.clone_into(&mut rendered.subject);
    }
    if let Some(text) = &request.text {
        rendered.text.clone_from(text);
    }
    Ok(rendered)
}

/// The first line of a message that came without subject and title.
fn made_title(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or_default().trim();
    let cut: String = line.chars().take(MADE_TITLE).collect();
    if cut.len() < line.len() {
        format!("{}…", cut.trim_end())
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(body: &Value) -> Rendered {
        compose(
            &Templates::built_in().unwrap(),
            &MailRequest::from_value(body).unwrap(),
            &MailerSettings::new("noreply@example.com".parse().unwrap()),
        )
        .unwrap()
    }

    #[test]
    fn a_logo_is_shown_if_there_is_one() {
        let mut body =
            json!({"to_email": "a@b.co", "template_data": {"message": "m", "logo_url": "cid:logo"}});
        assert!(!composed(&body).html.contains("cid:logo"), "nobody brought it");
        body["attachments"] =
            json!([{"name": "l.png", "type": "image/png", "base64": "AQI=", "cid": "logo"}]);
        assert!(composed(&body).html.contains("src=\"cid:logo\""));
        body["template_data"]["logo_url"] = json!("javascript:x");
        assert!(!composed(&body).html.contains("javascript"));
    }

    #[test]
    fn a_message_of_many_lines_is_a_letter() {
        for piece in ["x\n", "x\n\n"] {
            let message = piece.repeat(crate::wire::MAX_MESSAGE / piece.len());
            let mail = composed(&json!({"to_email": "a@b.co", "template_data": {"message": message}}));
            assert!(mail.html.matches('x').count() > message.matches('x').count());
        }
    }

    #[test]
    fn a_message_needs_no_subject() {
        let message = "First line of the message, long enough to be cut somewhere near its end\nmore";
        let mail = composed(&json!({"to_email": "a@b.co", "template_data": {"message": message}}));
        assert_eq!(
            mail.subject,
            "First line of the message, long enough to be cut somewhere n…"
        );
        let mail = composed(&json!({"to_email": "a@b.co", "template_data": {"message": "m", "title": "T"}}));
        assert_eq!(mail.subject, "T");
        let mail = composed(
            &json!({"to_email": "a@b.co", "subject": "S", "template_data": {"message": "m", "title": "T"}}),
        );
        assert_eq!(mail.subject, "S");
        assert!(mail.html.contains("T<") && mail.text.contains('m'));
    }

    #[test]
    fn brought_parts_replace_rendered_ones_and_plain_text_is_escaped() {
        let body = json!({"to_email": "a@b.co", "text": "own text",
            "template_data": {"message": "1 < 2 <script>", "title": "T", "html_content": "<b>own</b>"}});
        let mail = composed(&body);
        assert_eq!(
            (mail.text.as_str(), mail.html.as_str()),
            ("own text", "<b>own</b>")
        );
        let body =
            json!({"to_email": "a@b.co", "template_data": {"message": "1 < 2 <script>", "title": "T"}});
        assert!(!composed(&body).html.contains("<script>"));
    }
}
