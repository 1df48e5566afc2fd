// Package catalogue keeps what the provinces share: the entries of 发改高技〔2017〕1272号 with their fields, and the rules they must follow
// before they can be seen, granted or routed.
//
// An entry that breaks a rule is refused with every mistake at once. An entry is never deleted: a withdrawn one stays readable for whoever
// judges an old access, and is not routed.
//
// Reading order: store.go (the view that decisions read), list.go, publish.go, rule.go (an entry), sharing.go (whom it may be shared with).
package catalogue
