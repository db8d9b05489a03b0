//! Private keys as OpenSSL writes them.

use gatepost_tokens::{Algorithm, KeyError, SigningKey};

/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`; a key of this test and of nothing else.
const RSA8: &str = "-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCxsKKz7iC701jy
SJvFH3E0+l1L2ts7p6r6ZVwzxy4+a9niD0ysXJ7UgLnBwvepzD1NaeMqlNGiaCTP
x7MTJCCNE9iiIeYsIuL0ZrlclPl5gmYBtfAK5HtHlXOot/ua19EfTt5/ThhY1W0n
6mnzyfE3bYGw379bIE/2Y0a/p2aq3Og1ncag5uA7MsCKJqKHd3QzwdjutGLeTRg1
ZsaOkmmQd/1Kc7Y/W27ocwLwBghE3VsH5gPLZJY/L3BCuM5OmlJ1bOfkaDMOXMuk
abmgQ8bcQCtzP1I6VWHSeC9CQ2BYzkFWlpxU7uirmnp7sbSxSx6qQwub+nhE9WDg
TSMpOdYtAgMBAAECggEAKxsBFWo2qan3QWto0nSyt1nnKSAyH/IoUa8mI2914fGy
/RqeDJA5fa6uoXklMJ1Z375IvAs3IdFm4Lr+z61rch325zoXBuz9prGG1RVUwevm
yBJ1ZYcQ+wgf8zWSxXkGg7RT2Ik+8cnwvYap5li+eiZIGHrnBnm7vDdQMe0vxFID
oX2ExEmweTzrBgk2AGGrx5h4CEFQV2IjYySUqpWJKWpIF8fB7gES3MIBp54ryFYa
S6M2tuKzNsdNJwhnOjOhghhFfZ3azdHSJFw0S4fkrZbykOPHbfb1kK3UJjKZYxIW
etwYx3LyL58e6cF3/jb6zC/Xv+JmBxWooCf8C4/koQKBgQDvDa7iS4Od6KefDOK/
6IB2KaAz3OxDnfXEXGmnnxzITVyenVNn/j0beglcTYWuVNiZqBc38zXInH3wuY7V
rljDApVdRxBFy//jcgRTtbCp1jE2ENJxbDiB3byEQIm7ybcU/Qsm4bTFZrqzFFci
rpPXSexrlpNgjbS62QqlAvCg/QKBgQC+SVWtBIogHVXu45k9+6l/h1ykGYeCuiuZ
CLU+cdPIhRxLqqxLXB0YoxOu1jlqN3tUV72PsXuRkymfDvSvXAqoHQuS/VKjddTY
MDuaPIgUfWOxjooljrAvUj1uD0d4GzIab96A3aR/ktHXikHRPaRmGsZb4ZbSIXOF
GCpLyhHo8QKBgQDIBEfmuk5W6pqNvudesTgDJlMP8fKRpPJFKRmSEdSwV+J+KJ7n
7VbNza9VVtvagM12y6kZvFqtDxtlNq0nZyiHinrVQCeCbu0dLoImVGiLwlcMqMib
9HPXXWNluOZFhMK2Qf95ufJaFNl0CznZH/89bHHvl16atBabHA0HAk26NQKBgFwi
Pe2MKSTrj1Qft28fjy5EaEK8abSOV9W9NaSKkLSiXtT0SoAilaP8MeeRqjMXsgtg
gFQ251HRI3H0V90gf7hud9Av//dNckVK9VD0xh7Fp6OtFI6izAPdmgjUNRKeeF/8
kotqxd9PQ3NNahjZ8+PMSwbp75DGyZxD2xbfPFTBAoGBAIxmS7SQyzo4LKqdK1r9
2c3gik+zAx795+mgO9bx/okJkpPqpMudLDyw6yxGpndoghmih2nkiQhpbhCNisyO
2x0bvO3j4EbuQYCcZt/Z3WPcBtwteHta4Wfb32K23JFwn46SNdRpxl9V8SAn/7Si
tOdfk523Y8IWvb6MayOc8Jtd
-----END PRIVATE KEY-----";
/// The same key: `openssl rsa -traditional`.
const RSA1: &str = "-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKCAQEAsbCis+4gu9NY8kibxR9xNPpdS9rbO6eq+mVcM8cuPmvZ4g9M
rFye1IC5wcL3qcw9TWnjKpTRomgkz8ezEyQgjRPYoiHmLCLi9Ga5XJT5eYJmAbXw
CuR7R5VzqLf7mtfRH07ef04YWNVtJ+pp88nxN22BsN+/WyBP9mNGv6dmqtzoNZ3G
oObgOzLAiiaih3d0M8HY7rRi3k0YNWbGjpJpkHf9SnO2P1tu6HMC8AYIRN1bB+YD
y2SWPy9wQrjOTppSdWzn5GgzDlzLpGm5oEPG3EArcz9SOlVh0ngvQkNgWM5BVpac
VO7oq5p6e7G0sUseqkMLm/p4RPVg4E0jKTnWLQIDAQABAoIBACsbARVqNqmp90Fr
aNJ0srdZ5ykgMh/yKFGvJiNvdeHxsv0angyQOX2urqF5JTCdWd++SLwLNyHRZuC6
/s+ta3Id9uc6Fwbs/aaxhtUVVMHr5sgSdWWHEPsIH/M1ksV5BoO0U9iJPvHJ8L2G
qeZYvnomSBh65wZ5u7w3UDHtL8RSA6F9hMRJsHk86wYJNgBhq8eYeAhBUFdiI2Mk
lKqViSlqSBfHwe4BEtzCAaeeK8hWGkujNrbiszbHTScIZzozoYIYRX2d2s3R0iRc
NEuH5K2W8pDjx2329ZCt1CYymWMSFnrcGMdy8i+fHunBd/42+swv17/iZgcVqKAn
/AuP5KECgYEA7w2u4kuDneinnwziv+iAdimgM9zsQ531xFxpp58cyE1cnp1TZ/49
G3oJXE2FrlTYmagXN/M1yJx98LmO1a5YwwKVXUcQRcv/43IEU7WwqdYxNhDScWw4
gd28hECJu8m3FP0LJuG0xWa6sxRXIq6T10nsa5aTYI20utkKpQLwoP0CgYEAvklV
rQSKIB1V7uOZPfupf4dcpBmHgrormQi1PnHTyIUcS6qsS1wdGKMTrtY5ajd7VFe9
j7F7kZMpnw70r1wKqB0Lkv1So3XU2DA7mjyIFH1jsY6KJY6wL1I9bg9HeBsyGm/e
gN2kf5LR14pB0T2kZhrGW+GW0iFzhRgqS8oR6PECgYEAyARH5rpOVuqajb7nXrE4
AyZTD/HykaTyRSkZkhHUsFfifiie5+1Wzc2vVVbb2oDNdsupGbxarQ8bZTatJ2co
h4p61UAngm7tHS6CJlRoi8JXDKjIm/Rz111jZbjmRYTCtkH/ebnyWhTZdAs52R//
PWxx75demrQWmxwNBwJNujUCgYBcIj3tjCkk649UH7dvH48uRGhCvGm0jlfVvTWk
ipC0ol7U9EqAIpWj/DHnkaozF7ILYIBUNudR0SNx9FfdIH+4bnfQL//3TXJFSvVQ
9MYexaejrRSOoswD3ZoI1DUSnnhf/JKLasXfT0NzTWoY2fPjzEsG6e+QxsmcQ9sW
3zxUwQKBgQCMZku0kMs6OCyqnSta/dnN4IpPswMe/efpoDvW8f6JCZKT6qTLnSw8
sOssRqZ3aIIZoodp5IkIaW4QjYrMjtsdG7zt4+BG7kGAnGbf2d1j3AbcLXh7WuFn
299ittyRcJ+OkjXUacZfVfEgJ/+0orTnX5Odt2PCFr2+jGsjnPCbXQ==
-----END RSA PRIVATE KEY-----";
/// `openssl ecparam -name prime256v1 -genkey`.
const EC1: &str = "-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIJBFAk8Zn35UmSe1M56MXX/1viLK5rZRnq8Lctb6gbkFoAoGCCqGSM49
AwEHoUQDQgAEmkRVVs/6Q8xGQD+0XiMEC3gvOMntn5u1/0ic1CxOpE2w1mGLg0by
Uc3HsHUm8NoWuRfhj/hfIcalgT/nnxivlQ==
-----END EC PRIVATE KEY-----";
/// The same key: `openssl pkcs8 -topk8 -nocrypt`.
const EC8: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkEUCTxmfflSZJ7Uz
noxdf/W+IsrmtlGerwty1vqBuQWhRANCAASaRFVWz/pDzEZAP7ReIwQLeC84ye2f
m7X/SJzULE6kTbDWYYuDRvJRzcewdSbw2ha5F+GP+F8hxqWBP+efGK+V
-----END PRIVATE KEY-----";
/// `openssl genpkey -algorithm ed25519`.
const ED: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIA/1+aDKUQpfVZCCgiWLCigHF3tni7nbJKexFTcGeOg6
-----END PRIVATE KEY-----";
/// `openssl ecparam -name secp384r1 -genkey -noout`.
const P384: &str = "-----BEGIN EC PRIVATE KEY-----
MIGkAgEBBDBCXYLS7CC1aYgkX3ZBhB6+JQnF0Cmcui7M9En23v5Sj1haOcMw+zBY
IHZB87CzZGSgBwYFK4EEACKhZANiAAQu1UrUB2iMPPoFEGhobT6FEvL7RryR8AUJ
Y4LRwnNY2y/smzkW6nLSzZh+CmDjypPKBBO3GBV1D1g5WPRRAGGpt+cXn7SCpuEp
MoZqboWirvpf6SYL2+IyI1p1cPIFqTY=
-----END EC PRIVATE KEY-----";
/// The same key: `openssl pkcs8 -topk8 -nocrypt`.
const P384_8: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBCXYLS7CC1aYgkX3ZB
hB6+JQnF0Cmcui7M9En23v5Sj1haOcMw+zBYIHZB87CzZGShZANiAAQu1UrUB2iM
PPoFEGhobT6FEvL7RryR8AUJY4LRwnNY2y/smzkW6nLSzZh+CmDjypPKBBO3GBV1
D1g5WPRRAGGpt+cXn7SCpuEpMoZqboWirvpf6SYL2+IyI1p1cPIFqTY=
-----END PRIVATE KEY-----";
/// `openssl ecparam -name secp521r1 -genkey -noout`.
const P521: &str = "-----BEGIN EC PRIVATE KEY-----
MIHcAgEBBEIAw4+MA12LC+ycrlyBTgN+Jzb0GOD7gbaFNU04+wRGSul/QomEfyqL
LJwMJOm4b2zmavHIzWQoEGFcsczUBOAaAwegBwYFK4EEACOhgYkDgYYABABioyZo
W1S/8d3R5JKbxbjws1y1mkTKaJFrUn/zXxw794gdVH7lSjV8251We++N4tYFa3TT
bDf9Mp0/Kn6V+rFtSgCt83p5/bnEDOUo+O8r+k+eIwxi8crhN+OMwwXezyEfVpQj
FN0w4sis1I8HtAzEw95QrZgb0NnDPp424lYJ3gFjkw==
-----END EC PRIVATE KEY-----";
/// `openssl pkcs8 -topk8 -passout pass:abcd`.
const ENC: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhpN4bBaD3IvgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHUn0rLzlNwl9Szyr2WPuycEgZDY
cSCQFKDqA9kbB9CTGvPfuDF67Kx7hpVrom2B5sSBndilvxpSsMC1paoIj34Bh7oF
DmiItQGTSVoe9Upi5OJSVqXU0ly6euy4Ua9ZJPm3rpLvOWghxH5USz8xkQG/gUMm
RnNtiZa3Lsc3veSKPW9RowMrkA19ua5IzTnSQ0HJFudPeO6g/3mAldKVQ+9m9ZA=
-----END ENCRYPTED PRIVATE KEY-----";

#[test]
fn what_openssl_wrote_signs_here_and_is_one_key_however_it_was_written() {
    for (algorithm, text, again) in [
        (Algorithm::Rs256, RSA8, RSA1),
        (Algorithm::Rs512, RSA1, RSA8),
        (Algorithm::Ps256, RSA1, RSA8),
        (Algorithm::Es256, EC1, EC8),
        (Algorithm::Es384, P384, P384_8),
        (Algorithm::EdDsa, ED, ED),
    ] {
        let key = SigningKey::from_pem(algorithm, text).unwrap();
        assert!(key.verify(b"text", &key.sign(b"text").unwrap()), "{algorithm}");
        let same = SigningKey::from_pem(algorithm, &again.replace('\n', "\r\n")).unwrap();
        assert_eq!((key.kid(), key.algorithm()), (same.kid(), algorithm));
        assert!(same.verify(b"text", &key.sign(b"text").unwrap()));
    }
}

#[test]
fn what_is_no_key_for_the_algorithm_is_refused_with_the_reason() {
    for (algorithm, text, says) in [
        (Algorithm::Es256, RSA8, "do not belong together"),
        (Algorithm::EdDsa, EC8, "do not belong together"),
        (Algorithm::Hs256, ED, "`oct`"),
        (Algorithm::Es256, P384, "do not belong together"),
        (Algorithm::Es384, EC8, "do not belong together"),
        (Algorithm::Es384, P521, "another than P-256 and P-384"),
        (Algorithm::Es256, ENC, "encrypted"),
        (Algorithm::Es256, "", "BEGIN PRIVATE KEY"),
        (Algorithm::Es256, "-----BEGIN PRIVATE KEY-----\nAAAA", "cut short"),
        (
            Algorithm::Es256,
            "-----BEGIN PRIVATE KEY-----\n?\n-----END PRIVATE KEY-----",
            "base64",
        ),
        (
            Algorithm::Es256,
            "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
            "cut short",
        ),
    ] {
        let error = SigningKey::from_pem(algorithm, text).unwrap_err();
        assert!(matches!(error, KeyError::Pem(_) | KeyError::Jwk(_)));
        assert!(error.to_string().contains(says), "{error} / {says}");
    }
}

#[test]
fn a_key_that_is_cut_anywhere_is_refused_without_a_panic() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    for (algorithm, text) in [
        (Algorithm::Rs256, RSA1),
        (Algorithm::Es256, EC8),
        (Algorithm::Es384, P384_8),
        (Algorithm::EdDsa, ED),
    ] {
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        let label = text.split("-----").nth(1).unwrap().trim_start_matches("BEGIN ");
        for end in 0..der.len() {
            let cut = STANDARD.encode(&der[..end]);
            let text = format!("-----BEGIN {label}-----\n{cut}\n-----END {label}-----\n");
            assert!(
                SigningKey::from_pem(algorithm, &text).is_err(),
                "{algorithm} {end}"
            );
        }
    }
}
