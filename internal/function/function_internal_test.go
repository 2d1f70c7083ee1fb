package function

import (
	"log"
	"log/slog"
	"strings"
	"testing"
)

func TestAWrongConfigurationIsToldTogetherByItsVariables(t *testing.T) {
	before, output := slog.Default(), log.Writer()
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(output)
	})
	for name, value := range map[string]string{
		"LOG_LEVEL": "loud", "RETENTION_DAYS": "a while", "CLIENTS_TABLE": "", "MAILINGS_TABLE": "m", "BATCHES_TABLE": "b", "MAX_SEND_RATE": "fast",
	} {
		t.Setenv(name, value)
	}
	var config struct {
		Tables

		Rate int `env:"MAX_SEND_RATE" envDefault:"300"`
	}
	_, err := setup(t.Context(), "test", &config)
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"LOG_LEVEL: ", "loud", "RETENTION_DAYS: ", "MAX_SEND_RATE: ", "CLIENTS_TABLE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %q", want, err)
		}
	}
	for _, field := range []string{"Level", "RetentionDays", "Rate"} {
		if strings.Contains(err.Error(), field) {
			t.Errorf("the field %s is in %q", field, err)
		}
	}
}
