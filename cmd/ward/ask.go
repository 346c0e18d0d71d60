package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/wording"
)

// ask asks one question, unless -request says to show it only.
func ask(ctx context.Context, args []string, out, log io.Writer) (int, error) {
	set := flags("ask", log)
	path := set.String("config", "", "client configuration `FILE`")
	asJSON := set.Bool("json", false, "print the answer as JSON")
	raw := set.Bool("raw", false, "print the response as it was received")
	born := set.String("born", "", "date of birth `YYYY-MM-DD`, for a provider that verifies numbers")
	request := set.Bool("request", false, "print the request and send nothing")
	rest, err := parse(set, args)
	if err != nil {
		return exitUsage, err
	}
	if len(rest) != 1 {
		return exitUsage, usageError("name one NHS number: ward ask -config FILE NHSNUMBER")
	}
	if *asJSON && *raw || *asJSON && *request || *raw && *request {
		return exitUsage, usageError("name one of -json, -raw and -request. Nothing was asked")
	}
	number, err := cpis.ParseNHSNumber(rest[0])
	if err != nil {
		return exitUsage, usageError("the NHS number must be exactly ten digits, without spaces. Nothing was asked")
	}
	birthDate := cpis.Date{}
	if *born != "" {
		birthDate, err = cpis.ParseBirthDate(*born, time.Now())
	}
	if err != nil {
		return exitUsage, usageError("-born takes a day as yyyy-mm-dd, from 1850 to today. Nothing was asked")
	}
	settings, err := config.LoadClient(*path)
	if err != nil {
		return exitFailed, wrong(*path, err)
	}
	asker, err := client.New(client.Config{
		URL:          settings.URL,
		To:           settings.To,
		TLS:          settings.TLS,
		Username:     settings.Username,
		Organisation: settings.Organisation,
		Provider:     settings.Provider,
		Timeout:      settings.Timeout,
	})
	if err != nil {
		return exitFailed, err
	}
	defer asker.Close()
	message, err := asker.Prepare(client.Question{
		Number: number, Author: settings.Author, AuditIdentities: settings.AuditIdentities, BirthDate: birthDate,
	})
	if err != nil {
		return exitFailed, err
	}
	if *request {
		_, err = out.Write(message.Content)
		return exitDone, err
	}
	// Before asking: nothing may stand between an answer and its reader.
	uk, err := time.LoadLocation("Europe/London")
	if err != nil {
		return exitFailed, err
	}
	result := asker.Send(ctx, message)
	return show(result, settings, uk, *asJSON, *raw, out, log)
}

// show prints a result in the form that was asked for. Whatever the form, the exit
// code and the log say if there is none.
func show(r client.Result, settings *config.ClientSettings, uk *time.Location, asJSON, raw bool, out, log io.Writer) (int, error) {
	today := cpis.DateOf(r.AskedAt.In(uk))
	var err error
	switch {
	case raw:
		_, err = out.Write(r.Raw)
	case asJSON:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(documentOf(r, today))
	default:
		err = wording.Describe(r.Answer, wording.Context{
			Number:      r.Asked,
			Reference:   reference(r),
			CheckedAt:   r.AskedAt,
			Location:    uk,
			Live:        settings.Live,
			Contacts:    settings.Contacts,
			ServiceDesk: settings.ServiceDesk,
		}).Text(out, width())
	}
	if err != nil {
		return exitFailed, err
	}
	state := r.Answer.State(today)
	switch state {
	case cpis.NotChecked:
		fmt.Fprintf(log, "ward: the check was not made: %v\n", r.Cause)
		return exitNotChecked, nil
	case cpis.ResultNotKnown:
		fmt.Fprintf(log, "ward: the result is not known: %v\n", r.Cause)
		return exitNotKnown, nil
	default:
		return exitDone, nil
	}
}

func reference(r client.Result) string {
	if r.Correlation != "" {
		return r.Correlation
	}
	return r.MessageID
}

// width is that of a terminal of the usual size; COLUMNS overrides it.
func width() int {
	columns := 0
	_, err := fmt.Sscanf(os.Getenv("COLUMNS"), "%d", &columns)
	if err != nil || columns < 40 || columns > 200 {
		return 80
	}
	return columns
}
