"""Signs claims with PyJWT (Debian: python3-jwt, python3-cryptography). Reads {claims, keys: {alg: PEM}}, prints {alg: token}."""
import json
import sys

import jwt

given = json.load(sys.stdin)
print(json.dumps({
    algorithm: jwt.encode(given['claims'], pem, algorithm=algorithm, headers={'kid': f'key-of-{algorithm}'})
    for algorithm, pem in given['keys'].items()
}))
