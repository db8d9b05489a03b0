//! `multipart/form-data`, as much of it as a browser's form of a few fields has.

use super::value::Value;

/// The fields; what is no part is left out, as there.
pub(super) fn parse(kind: &str, body: &[u8]) -> Result<Value, String> {
    let boundary = kind
        .split(';')
        .skip(1)
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, boundary)| boundary.trim().trim_matches('"').to_owned());
    let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
        return Err("Invalid boundary in multipart: None".to_owned());
    };
    let delimiter = format!("--{boundary}").into_bytes();
    let mut fields = Vec::new();
    let mut rest = body;
    while let Some(at) = position(rest, &delimiter) {
        rest = &rest[at + delimiter.len()..];
        let Some(part) = rest.strip_prefix(b"\r\n") else {
            break;
        };
        let end = position(part, &delimiter).unwrap_or(part.len());
        fields.extend(field(&part[..end]));
    }
    Ok(Value::Dict(fields))
}

fn field(part: &[u8]) -> Option<(String, Value)> {
    let end = position(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&part[..end]);
    let content = part.get(end + 4..)?;
    let content = content.strip_suffix(b"\r\n").unwrap_or(content);
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let parameter = |wanted: &str| {
        disposition.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let found = name.trim().eq_ignore_ascii_case(wanted);
            found.then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let name = parameter("name")?;
    if parameter("filename").is_some() {
        return Some((name, Value::File));
    }
    Some((name, Value::from(String::from_utf8_lossy(content).into_owned())))
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
