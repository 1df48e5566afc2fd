// Package config reads the exchange's file, exchange.yaml: who the exchange is, where its stores lie and where it listens.
//
// Everything else (members, catalogue, grants) is state, changed by calls that are authenticated, and stands in no file: whoever can write
// the file can move the exchange, yet cannot let anybody in.
//
// The file is strict YAML, and every mistake is reported at once; see package yamlfile. It holds no secret, only names of files that do.
package config
