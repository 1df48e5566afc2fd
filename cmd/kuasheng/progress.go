package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar shows progress on stderr if that is a terminal, and nothing otherwise.
type bar struct{ bar *progressbar.ProgressBar }

// newBar makes a bar; a total below 0 is not known.
func newBar(w io.Writer, total int64, what string, bytes bool) *bar {
	if !terminal(w) {
		return &bar{}
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(total >= 0),
	}
	if bytes {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		options = append(options, progressbar.OptionSetItsString("rows"))
	}
	return &bar{bar: progressbar.NewOptions64(total, options...)}
}

// at moves the bar; what it cannot draw it does not.
func (b *bar) at(n int64) {
	if b.bar != nil {
		_ = b.bar.Set64(n)
	}
}

// total corrects the total.
func (b *bar) total(n int64) {
	if b.bar != nil {
		b.bar.ChangeMax64(n)
	}
}

func (b *bar) finish() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

// terminal reports whether somebody may be watching.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
