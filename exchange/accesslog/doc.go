// Package accesslog is the exchange's record of every access: a verifiable log on segment files (the truth) and a Badger index behind it (never
// evidence, rebuilt from the log when it is lost).
//
// Three kinds of records go in: an intent for every request, permitted or refused; an outcome for every permitted one; a read for every look
// at the log. An intent is durable before anything leaves. An outcome is not waited for: how many may be missing is bounded by slots, one of
// which every permitted access holds from before its intent until its outcome is durable. What a crash leaves without an outcome is found
// again on opening (Pending) and completed from the node's journal.
//
// Reading order: log.go (appending), pending.go (accesses without an outcome), index.go and key.go (the index), list.go (reading).
package accesslog
