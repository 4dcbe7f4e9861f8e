package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/upstream/api"
)

// credentialsTime is how long credentials are looked for at start: a profile's
// credential_process and the machine's role take their time.
const credentialsTime = 10 * time.Second

// newClient makes the API's client, and a check whether it has something to sign
// its calls with.
func newClient(ctx context.Context, u config.Upstream, log *slog.Logger, m *metrics) (*api.Client, func(context.Context) error, error) {
	o := api.Options{Endpoint: u.Endpoint, Region: u.Region, Uncompressed: !u.Compress, Log: log, Observer: m}
	ready := func(context.Context) error { return nil }
	sdkRegion := ""
	switch signing(u) {
	case config.SigningToken:
		o.TokenFile = u.TokenFile
		ready = func(context.Context) error { return tokenIsThere(u.TokenFile) }
	case config.SigningIAM:
		var err error
		if o.Credentials, sdkRegion, err = api.Credentials(ctx, u.Region); err != nil {
			return nil, nil, err
		}
		ready = func(ctx context.Context) error { return credentialsAreThere(ctx, o.Credentials) }
	}
	client, err := api.New(o)
	var field *core.FieldError
	if errors.As(err, &field) && field.Field == "region" && sdkRegion != "" {
		o.Region = sdkRegion // the endpoint's name does not tell it
		client, err = api.New(o)
	}
	return client, ready, err
}

// signing is how calls are signed, never auto.
func signing(u config.Upstream) string {
	switch {
	case u.Signing != config.SigningAuto:
		return u.Signing
	case u.TokenFile != "":
		return config.SigningToken
	}
	return config.SigningIAM
}

func credentialsAreThere(ctx context.Context, from aws.CredentialsProvider) error {
	ctx, cancel := context.WithTimeout(ctx, credentialsTime)
	defer cancel()
	if _, err := from.Retrieve(ctx); err != nil {
		return fmt.Errorf("no AWS credentials to sign calls with (signing=none is for an API that needs none): %w", err)
	}
	return nil
}

func tokenIsThere(file string) error {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("tokenFile: %w", err)
	}
	return nil
}
