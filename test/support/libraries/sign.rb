# Signs claims with ruby-jwt (Debian: ruby-jwt), which needs another library for EdDSA.
# Reads {claims, keys: {alg: PEM}}, prints {alg: token}.
require 'json'
require 'jwt'

given = JSON.parse($stdin.read)
keys = given['keys'].reject { |algorithm, _| algorithm == 'EdDSA' }
tokens = keys.to_h do |algorithm, pem|
  [algorithm, JWT.encode(given['claims'], OpenSSL::PKey.read(pem), algorithm, { kid: "key-of-#{algorithm}" })]
end
puts tokens.to_json
