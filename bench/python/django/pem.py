"""A key pair as a Django project has it in SIGNING_KEY and VERIFYING_KEY: pem.py ALGORITHM FORM

FORM is `pkcs8` or `traditional` (as `openssl genrsa -traditional` and `openssl ecparam -genkey` write it). Prints JSON.
"""

import json
import sys

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

algorithm, form = sys.argv[1:]
if algorithm.startswith("ES"):
    key = ec.generate_private_key({"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}[algorithm]())
elif algorithm == "EdDSA":
    key = ed25519.Ed25519PrivateKey.generate()
else:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
written = {"pkcs8": PrivateFormat.PKCS8, "traditional": PrivateFormat.TraditionalOpenSSL}[form]
print(json.dumps({
    "private": key.private_bytes(Encoding.PEM, written, NoEncryption()).decode(),
    "public": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
}))
