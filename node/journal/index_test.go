package journal

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// TestOpenAfterKillOfOpening lays down the empty log file that a kill during an opening leaves: the next start has to go well, and the spent
// tickets, which stand nowhere else, have to be there.
func TestOpenAfterKillOfOpening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	ix, err := openIndex(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	spent := translog.Hash{1}
	if err := ix.spend([]translog.Hash{spent}); err != nil {
		t.Fatal(err)
	}
	if err := ix.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "00009.mem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ix, err = openIndex(dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer ix.close()
	if used, err := ix.used(spent); !used || err != nil {
		t.Errorf("the ticket is used: %v, %v, want true", used, err)
	}
}
