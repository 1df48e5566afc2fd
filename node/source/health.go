package source

import (
	"errors"
	"log/slog"
	"sync/atomic"
)

// health notices when a source stops or begins to serve, so that the log has one line for an outage and not one for
// every query. The errors themselves go to the callers.
type health struct {
	source string
	logger *slog.Logger
	down   atomic.Bool
}

func (h *health) note(err error) {
	switch {
	case err == nil:
		if h.down.CompareAndSwap(true, false) {
			h.logger.Info("source serves again", "source", h.source)
		}
	case errors.Is(err, ErrUnavailable):
		if h.down.CompareAndSwap(false, true) {
			h.logger.Warn("source is unavailable", "source", h.source, "error", err)
		}
	}
}
