// Package demo is `kuasheng demo`: an exchange and the nodes of three provinces on loopback, and a scenario that moves real queries between
// them, has others refused, and looks at what went on record.
//
// The four servers run in this one process, to spare memory. They are the same code that `exchange serve` and `node serve` run, started from
// configuration files of the same form, which lie in the demo's folder; between them is nothing but mTLS over 127.0.0.1. Every province has an
// authority of its own. The people are synthetic: see package dataset.
//
// Every step of the scenario checks what it shows. One that does not find what it must ends the demo with [ErrStep].
//
// Reading order: demo.go (the whole), stage.go (folder, authorities, servers; then folder.go, party.go, authority.go, exchange.go, province.go),
// story.go (the steps, in order: publish.go, grant.go, query.go, refusal.go, export.go, audit.go, verify.go, tamper.go), manifest.go (demo.json),
// command.go (what there is to paste).
package demo
