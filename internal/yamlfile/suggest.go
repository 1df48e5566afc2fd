package yamlfile

import (
	"fmt"
	"strings"
)

// DidYouMean finishes a message about an unknown word with the nearest known one, or with all of them.
func DidYouMean(word string, known []string) string {
	best, least := "", 3 // more than two slips of the finger are another word
	for _, k := range known {
		if d := distance(word, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean `%s`?", best)
	}
	return "; known are " + strings.Join(known, ", ")
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 { // no key is that long, and the table below grows with the product
		return 64
	}
	before, last, this := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		this[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			this[j] = min(last[j]+1, this[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				this[j] = min(this[j], before[j-2]+1)
			}
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}
