package exchange

import "testing"

func TestPageToken(t *testing.T) {
	token := pageToken("330000", "members", "filter")
	if cursor, err := pageCursor(token, "members", "filter"); err != nil || cursor != "330000" {
		t.Errorf("cursor %q, %v", cursor, err)
	}
	if pageToken("", "members") != "" {
		t.Error("the last page has a token")
	}
	if cursor, err := pageCursor("", "members"); cursor != "" || err != nil {
		t.Errorf("first page: %q, %v", cursor, err)
	}
	for name, c := range map[string]struct {
		token string
		list  []string
	}{
		"another filter":    {token, []string{"members", "other"}},
		"another list":      {token, []string{"grants", "filter"}},
		"parts moved":       {token, []string{"membersfilter"}},
		"not base64":        {"***", []string{"members", "filter"}},
		"padded":            {token + "=", []string{"members", "filter"}},
		"without a cursor":  {token[:10], []string{"members", "filter"}},
		"first letter gone": {token[1:], []string{"members", "filter"}},
	} {
		_, err := pageCursor(c.token, c.list...)
		refused(t, name, err, badToken)
	}
	for asked, want := range map[int32]int{-1: 100, 0: 100, 1: 1, 1000: 1000, 5000: 1000} {
		if got := pageSize(asked); got != want {
			t.Errorf("pageSize(%d) = %d, want %d", asked, got, want)
		}
	}
}

func FuzzPageCursor(f *testing.F) {
	f.Add(pageToken("330000", "members"))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		cursor, err := pageCursor(token, "members")
		if err == nil && pageToken(cursor, "members") != token {
			t.Errorf("token %q came back as another one", token)
		}
	})
}
