// Package grant keeps who may use which fields of which resource, for what purposes, until when.
//
// A grant is given against the entry and the requesting member as they stood, and lands only if both are unchanged (state.Change): an entry
// that is withdrawn while the operator presses the button yields no grant. What a grant permits is still decided anew at each query, by
// the entry and the member as they are then; a grant alone opens nothing.
//
// A revocation is in force when [Store.Revoke] returns. Revoked and expired grants stay, for whoever judges an old access.
//
// Reading order: store.go (the view that decisions read), create.go, rule.go, bound.go (how many, how fast), revoke.go, list.go (who may see which).
package grant
