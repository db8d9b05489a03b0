//! What a header may try: another algorithm, none at all, a key of its own, an extension.

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, Refused};

use crate::forge::{encode, json, key_of, part, refused, sign, with_payload};

#[test]
fn the_forge_can_make_a_good_token() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    assert_eq!(with_payload(&raw, &part(&raw, 1)), raw);
}

#[test]
fn no_header_but_ours_is_read() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let (kid, payload) = (json(&raw, 0)["kid"].as_str().unwrap().to_owned(), part(&raw, 1));
    let headers = [
        r#"{"alg":"none","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"None","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"hs256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS384","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"HS256","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"../../../../dev/null"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"' OR 1=1 --"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":["KID"]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","kid":"other"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","crit":["exp"]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","jku":"https://evil.test/jwks.json"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","x5u":"https://evil.test/x.pem"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","jwk":{"kty":"oct","k":"AA"}}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","b64":false}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","zip":"DEF"}"#,
        r#"{"alg":"NONE","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":null,"typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS256 ","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS512","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"PS256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"none","alg":"HS256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS256","alg":"none","typ":"at+jwt","kid":"KID"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":"KID"}"#,
        r#"{"alg": "HS256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"AT+JWT","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"application/at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":""}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":null}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":0}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID\u0000"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID/../KID"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID;SELECT pg_sleep(9)"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","crit":[]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","x5c":["MIIB"]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","x5t":"AA"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","cty":"JWT"}"#,
        r#"{"alg":"dir","enc":"A256GCM","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"typ":"at+jwt","kid":"KID"}"#,
        r"[]",
        r"null",
        "",
    ];
    for header in headers {
        let header = header.replace("KID", &kid);
        for signed in [
            sign(&key_of("access"), &header, &payload),
            sign(b"", &header, &payload),
            format!("{}.{}.", encode(&header), encode(&payload)),
        ] {
            assert_eq!(refused(&tokens, &signed), Refused::Malformed, "{header}");
        }
    }
}
