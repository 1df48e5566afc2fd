package exchange

import (
	"strconv"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/exchange/accesslog"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// accessList names a list for its page tokens: who asks, and for what. Another caller's token, or one of another filter, would silently skip
// accesses. A forged one reaches nothing: the filter is applied to each page anew.
func accessList(caller Caller, f accesslog.Filter) []string {
	return []string{"accesses", caller.ID.String(), instant(f.Start), instant(f.End), f.Requester, f.Resource, f.Region, f.Self}
}

// instant tells every moment from every other and from none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// accessCursor is the place where the next page begins; after the last page it is empty.
func accessCursor(p accesslog.Position) string {
	if p == (accesslog.Position{}) {
		return ""
	}
	return strconv.FormatInt(p.Before, 10) + "/" + strconv.FormatInt(p.Size, 10)
}

// accessPosition is the reverse of accessCursor. Whether there is such a place is for the log to say.
func accessPosition(cursor string) (accesslog.Position, error) {
	if cursor == "" {
		return accesslog.Position{}, nil
	}
	before, size, ok := strings.Cut(cursor, "/")
	b, err1 := strconv.ParseInt(before, 10, 64)
	s, err2 := strconv.ParseInt(size, 10, 64)
	if !ok || err1 != nil || err2 != nil || b < 1 {
		return accesslog.Position{}, errAccessPosition()
	}
	return accesslog.Position{Before: b, Size: s}, nil
}

func errAccessPosition() error {
	return refusal.About(auditv1.Reason_REASON_PAGE_TOKEN_INVALID, "page_token", "there is no such place in the log: begin without one")
}
