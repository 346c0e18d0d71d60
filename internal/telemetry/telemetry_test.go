package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/telemetry"
)

// WRD-OPS-10: a line is one JSON object with a UTC time in ISO 8601, its level, its
// stable event name and its correlation id.
func TestJSONLine(t *testing.T) {
	var out bytes.Buffer
	logger := telemetry.NewLogger(&out, slog.LevelInfo, "json")
	summer := time.Date(2026, 7, 1, 0, 30, 0, 5e6, time.FixedZone("BST", 3600))
	handle(t, logger, slog.LevelInfo, summer, "question answered\nand more", slog.String("event", "question.answered"), slog.String("correlation", "A1"))
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("not one line: %q", out.String())
	}
	var line map[string]string
	err := json.Unmarshal(out.Bytes(), &line)
	if err != nil {
		t.Fatal(err)
	}
	for key, expected := range map[string]string{
		"time": "2026-06-30T23:30:00.005Z", "level": "INFO", "event": "question.answered", "correlation": "A1",
	} {
		if line[key] != expected {
			t.Errorf("%s is %q, expected %q", key, line[key], expected)
		}
	}
}

// The text form says the same, on one line too.
func TestTextLine(t *testing.T) {
	var out bytes.Buffer
	logger := telemetry.NewLogger(&out, slog.LevelInfo, "text")
	winter := time.Date(2026, 1, 1, 3, 0, 0, 0, time.FixedZone("CET", 3600))
	handle(t, logger, slog.LevelWarn, winter, "request\nrefused", slog.String("event", "request.refused"))
	const expected = `time=2026-01-01T02:00:00.000Z level=WARN msg="request\nrefused" event=request.refused` + "\n"
	if out.String() != expected {
		t.Errorf("got %q, expected %q", out.String(), expected)
	}
}

// Only the record's own time is read as one: a value that is called time stays what it is.
func TestOtherValuesAreLeftAlone(t *testing.T) {
	var out bytes.Buffer
	telemetry.NewLogger(&out, slog.LevelInfo, "json").Info("x", "time", "tea", "elapsed_ms", 1.5)
	if !strings.Contains(out.String(), `"time":"tea"`) || !strings.Contains(out.String(), `"elapsed_ms":1.5`) {
		t.Errorf("got %s", out.String())
	}
}

// What is below the level is not written.
func TestLevel(t *testing.T) {
	for level, expected := range map[slog.Level]int{slog.LevelDebug: 4, slog.LevelInfo: 3, slog.LevelWarn: 2, slog.LevelError: 1} {
		for _, format := range []string{"json", "text"} {
			var out bytes.Buffer
			logger := telemetry.NewLogger(&out, level, format)
			logger.Debug("d")
			logger.Info("i")
			logger.Warn("w")
			logger.Error("e")
			if got := strings.Count(out.String(), "\n"); got != expected {
				t.Errorf("%s at %s: %d lines, expected %d", format, level, got, expected)
			}
		}
	}
}

func handle(t *testing.T, logger *slog.Logger, level slog.Level, at time.Time, message string, attributes ...slog.Attr) {
	t.Helper()
	record := slog.NewRecord(at, level, message, 0)
	record.AddAttrs(attributes...)
	err := logger.Handler().Handle(context.Background(), record)
	if err != nil {
		t.Fatal(err)
	}
}
