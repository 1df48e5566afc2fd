// Package layout holds the test of the repository's own shape: which package may import which, and that each says what it is. It has no
// code.
package layout
