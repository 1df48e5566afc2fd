// Package member keeps the provinces that belong to the exchange: who they are, which authorities speak for them, which journals are
// theirs, and what they may do.
//
// Whoever can change a member can let anybody speak for that province, so the rules here are the exchange's outermost wall: a trust domain
// belongs to one member and is never the exchange's own, an authority's key belongs to one member, and a bundle holds authorities'
// certificates and nothing else. Rules that span members are held by one guard key that every change rewrites: of two administrators
// who register the same trust domain at once, one is refused.
//
// A suspended member's bundle stays in force for authentication: its callers are then known, refused with MEMBER_SUSPENDED, and on record.
//
// Reading order: store.go (the view that decisions read), change.go, rule.go, bundle.go.
package member
