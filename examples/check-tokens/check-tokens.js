// Checks Gatepost's access tokens in a Node program: the signature here, then Redis, then Gatepost.
//
// Most checks cost one look into Redis. What Redis does not know for sure, Gatepost is asked about, and when nobody can
// say, nobody is let in. Needs jose and redis: npm install jose@5 redis@4
//
//     const gate = new Gate('https://id.example.com', 'redis://:secret@cache:6379/0', { algorithm: 'EdDSA' });
//     const claims = await gate.check(token);      // null: refuse with 401; throws Unavailable: 503
//
// As a program it reads a token a line and says of each what it found, and who said so.
'use strict';

const { createHash, hkdfSync } = require('node:crypto');
const readline = require('node:readline');
const jose = require('jose');
const redis = require('redis');

const PATIENCE = 200; // ms; a Redis beside us takes less than one

/** Neither Redis nor Gatepost can say: answer 503, and let nobody in. */
class Unavailable extends Error {}

class Gate {
    constructor(url, redisUrl, { algorithm = 'HS256', secret, issuer = 'gatepost', audience = 'gatepost' } = {}) {
        Object.assign(this, { url, algorithm, issuer, audience, whoSaidSo: '' });
        // HKDF-SHA256, as docs/tokens.md gives it. Whoever has the secret can also make tokens: prefer JWKS.
        this.key =
            algorithm === 'HS256'
                ? new Uint8Array(hkdfSync('sha256', secret, 'gatepost tokens 1', 'hs256\0access', 32))
                : jose.createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`), { cacheMaxAge: 300_000 });
        this.redis = redis.createClient({
            url: redisUrl,
            disableOfflineQueue: true,
            socket: { connectTimeout: PATIENCE, reconnectStrategy: (tries) => Math.min(50 * 2 ** tries, 2_000) },
        });
        // It reconnects by itself; until then its commands fail, and Gatepost is asked.
        this.redis.on('error', () => {});
        this.connecting = this.redis.connect().catch(() => {});
    }

    /** The claims of a good access token, or null. */
    async check(token) {
        this.whoSaidSo = 'signature';
        let claims;
        try {
            // The algorithm is ours to choose, never the token's.
            ({ payload: claims } = await jose.jwtVerify(token, this.key, {
                algorithms: [this.algorithm],
                issuer: this.issuer,
                audience: this.audience,
                typ: 'at+jwt',
                requiredClaims: ['exp', 'iat', 'jti', 'sub'],
            }));
        } catch (error) {
            if (error instanceof jose.errors.JWKSTimeout || error.cause || error instanceof TypeError) {
                throw new Unavailable('the keys cannot be read', { cause: error });
            }
            return null;
        }
        this.whoSaidSo = 'redis';
        let verdict = await this.look(claims);
        if (verdict === null) {
            this.whoSaidSo = 'gatepost';
            verdict = await this.ask(token);
        }
        return verdict ? claims : null;
    }

    /** true: good. false: dead. null: Redis does not know, whatever the reason. */
    async look(claims) {
        if (claims.gen === undefined) return null;
        const user = createHash('sha256').update(claims.sub).digest('hex');
        const keys = ['gatepost:fresh', `gatepost:token:${claims.jti}`, `gatepost:user:${user}`];
        if (claims.sid !== undefined) keys.push(`gatepost:session:${claims.sid}`);
        let found;
        let timer;
        try {
            const late = new Promise((_, reject) => {
                timer = setTimeout(() => reject(new Error('late')), PATIENCE);
            });
            found = await Promise.race([this.redis.mGet(keys), late]);
        } catch {
            return null;
        } finally {
            clearTimeout(timer);
        }
        const [fresh, token, lowest, session] = found;
        // What is dead stays dead, whoever says so.
        if (token === 'revoked' || session === 'ended' || (lowest !== null && claims.gen < Number(lowest))) return false;
        // Good is only what all of them say.
        const known = fresh !== null && token === fresh && lowest !== null && (keys.length === 3 || session === 'good');
        return known ? true : null;
    }

    async ask(token) {
        try {
            const answer = await fetch(`${this.url}/api/auth/verify`, {
                method: 'POST',
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify({ token }),
                signal: AbortSignal.timeout(5_000),
            });
            if (!answer.ok) throw new Error(`Gatepost answered ${answer.status}`);
            return (await answer.json()).active === true;
        } catch (error) {
            throw new Unavailable('Gatepost cannot be asked', { cause: error });
        }
    }
}

async function main() {
    const { GATEPOST_URL, REDIS_URL, GATEPOST_ALGORITHM, GATEPOST_SECRET } = process.env;
    const gate = new Gate(GATEPOST_URL, REDIS_URL, { algorithm: GATEPOST_ALGORITHM, secret: GATEPOST_SECRET });
    await Promise.race([gate.connecting, new Promise((go) => setTimeout(go, 1_000))]);
    for await (const line of readline.createInterface({ input: process.stdin })) {
        let verdict;
        try {
            verdict = (await gate.check(line.trim())) ? 'good' : 'refused';
        } catch (error) {
            if (!(error instanceof Unavailable)) throw error;
            verdict = 'unavailable';
        }
        console.log(`${verdict} ${gate.whoSaidSo}`);
    }
    process.exit(0);
}

module.exports = { Gate, Unavailable };
if (require.main === module) main();
