// Package flood keeps callers that are known from filling what they may write to without a grant: the access log with their refusals, the state
// with their grants. Evidence is not given up for it: what is not recorded one by one is counted, and the count goes on record.
//
// Reading order: bucket.go (how fast), refusals.go (which refusals are recorded and which are counted), collect.go (when counts go on record).
package flood
