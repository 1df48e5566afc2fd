package exchange

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

const (
	// defaultPage and maxPage are the sizes that the protos promise.
	defaultPage = 100
	maxPage     = 1000
	// listDigest is enough of a digest to notice a token of another list. It keeps out mistakes and not attackers: whoever forges a
	// token is shown what they may see anyway, from another place on.
	listDigest = 8
)

// pageSize is how many things a page holds.
func pageSize(asked int32) int {
	if asked <= 0 {
		return defaultPage
	}
	return int(min(asked, maxPage))
}

// pageToken hides a cursor, the place where the next page begins, in a token that is only good for the same list: its name and filter. An
// empty cursor, after the last page, gives an empty token.
func pageToken(cursor string, list ...string) string {
	if cursor == "" {
		return ""
	}
	digest := digestList(list)
	return base64.RawURLEncoding.EncodeToString(append(digest[:listDigest], cursor...))
}

// pageCursor is the reverse of pageToken. It refuses with PAGE_TOKEN_INVALID what is no token of this list.
func pageCursor(token string, list ...string) (string, error) {
	if token == "" {
		return "", nil
	}
	digest := digestList(list)
	data, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(data) <= listDigest || subtle.ConstantTimeCompare(data[:listDigest], digest[:listDigest]) != 1 {
		return "", refusal.About(auditv1.Reason_REASON_PAGE_TOKEN_INVALID, "page_token", "it was not given for this list with this filter: begin without one")
	}
	return string(data[listDigest:]), nil
}

func digestList(list []string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(list, "\x00")))
}
