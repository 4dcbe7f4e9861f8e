package daemon

import (
	"io"
	"log/slog"

	"signpost/internal/config"
)

func newLogger(w io.Writer, cfg *config.Config, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// logConfig says once what is configured, and what of it means nothing here.
func logConfig(log *slog.Logger, cfg *config.Config) {
	for _, s := range cfg.Settings() {
		log.Info("configured", "key", s.Key, "value", s.Value, "source", s.Source)
	}
	for _, n := range cfg.Notices() {
		log.Warn(n)
	}
}
