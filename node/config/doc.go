// Package config reads a node's file: who the node is, which exchange it attaches to, where the province's data lives,
// what it publishes and what the province vetoes.
//
// The file is strict YAML and is checked as a whole. Every mistake is reported at once, with line, column and cure,
// because each round of "fix one, start again" at a bureau costs a change request. An unknown key is a mistake: a
// misspelt `mask` that is silently dropped would publish what it was to hide. Package yamlfile says what else is refused.
//
// The catalogue's rules (DOMAIN.md section 3) are checked here as well as on the exchange: a province learns of them
// before it publishes anything. Secrets do not belong in the file; it names the environment variables that hold them.
//
// Start with Node in node.go; Parse in load.go reads it; the read_*.go files each hold one section and its rules.
package config
