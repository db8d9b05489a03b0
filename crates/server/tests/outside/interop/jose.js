// Verifies access tokens with npm's jose, by the published keys: a token a line in, a verdict a line out.
//
//     node jose.js JWKS_URL ALGORITHM ISSUER
'use strict';
const { createInterface } = require('node:readline');
const { createRemoteJWKSet, jwtVerify } = require('jose');

const [url, algorithm, issuer] = process.argv.slice(2);
// It asks again for a key that it does not know at most twice a minute, unless it is told otherwise.
const keys = createRemoteJWKSet(new URL(url), { cooldownDuration: 0 });

async function verdict(token) {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: [algorithm],
    typ: 'at+jwt',
    issuer,
    audience: issuer,
    requiredClaims: ['exp', 'iat', 'sub', 'jti'],
  });
  return `good ${payload.sub}`;
}

createInterface({ input: process.stdin }).on('line', (line) => {
  verdict(line.trim()).then(console.log, (error) => console.log('bad', error.code || error.message));
});
