// Signs claims with golang-jwt (Debian: golang-go, golang-github-golang-jwt-jwt-dev).
// Reads {claims, keys: {alg: PEM}}, prints {alg: token}.
package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"

	"github.com/golang-jwt/jwt"
)

func main() {
	var given struct {
		Claims jwt.MapClaims
		Keys   map[string]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		panic(err)
	}
	tokens := map[string]string{}
	for algorithm, text := range given.Keys {
		block, _ := pem.Decode([]byte(text))
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		token := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), given.Claims)
		token.Header["kid"] = "key-of-" + algorithm
		if tokens[algorithm], err = token.SignedString(key); err != nil {
			panic(err)
		}
	}
	json.NewEncoder(os.Stdout).Encode(tokens)
}
