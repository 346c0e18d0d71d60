// Package telemetry sets up the operational log: structured lines with UTC times,
// a stable event name and a correlation id on each, and no personal data at any
// level (WRD-IGV-01, WRD-OPS-10).
package telemetry

import (
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes to w, as JSON unless format is "text".
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func inUTC(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
