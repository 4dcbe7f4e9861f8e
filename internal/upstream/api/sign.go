package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go/logging"

	"signpost/core"
)

const (
	signedService = "execute-api"
	// expiryWindow is how long before their end credentials are renewed, so
	// that none expire on their way.
	expiryWindow = time.Minute
	// maxToken bounds a token file. The API takes 10,240 bytes of headers.
	maxToken = 8 << 10
)

// Credentials finds credentials as every AWS tool does: in the environment, a
// profile of the shared configuration, what its credential_process prints, or
// the machine's role. They are renewed before they expire. A region of "" is
// the one that is configured there, which is returned.
func Credentials(ctx context.Context, region string) (provider aws.CredentialsProvider, inRegion string, err error) {
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // what goes wrong is in errors
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow }),
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, "", fmt.Errorf("the AWS configuration: %w", err)
	}
	return discreet{cfg.Credentials}, cfg.Region, nil
}

// discreet finds credentials, and does not tell what a credential_process
// printed that cannot be read: the SDK's error has all of it, keys too.
type discreet struct{ from aws.CredentialsProvider }

// Retrieve returns the credentials.
func (d discreet) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := d.from.Retrieve(ctx)
	var process *processcreds.ProviderError
	if !errors.As(err, &process) {
		return creds, err
	}
	if cause := errors.Unwrap(process.Err); cause != nil { // what is around it may quote the output
		return creds, fmt.Errorf("credential_process: %w", cause)
	}
	return creds, fmt.Errorf("credential_process: %w", process.Err)
}

// signer says in a request who makes it. The time is by the API's clock.
type signer interface {
	sign(ctx context.Context, r *http.Request, body []byte, now time.Time) error
}

func newSigner(o Options, base *url.URL) (signer, error) {
	switch {
	case o.Credentials != nil && o.TokenFile != "":
		return nil, &core.FieldError{Field: "tokenFile", Reason: "is given beside AWS credentials: calls carry one of them"}
	case o.TokenFile != "":
		if base.Scheme != "https" && !loopback(base.Hostname()) {
			return nil, &core.FieldError{Field: "endpoint", Reason: "is no https:// URL: everybody on the way would see the token"}
		}
		return bearer{o.TokenFile}, nil
	case o.Credentials != nil:
		region := o.Region
		if region == "" {
			region = regionOf(base.Hostname())
		}
		if region == "" {
			return nil, &core.FieldError{Field: "region", Reason: "is missing, and the endpoint's name does not tell it"}
		}
		if !regionName.MatchString(region) {
			return nil, &core.FieldError{Field: "region", Reason: "is no region's name, such as eu-central-1"}
		}
		return sigV4{credentials: o.Credentials, region: region, signer: v4.NewSigner()}, nil
	}
	return nobody{}, nil
}

var regionName = regexp.MustCompile(`^[a-z0-9-]+$`)

var executeAPI = regexp.MustCompile(`\.execute-api\.([a-z0-9-]+)\.(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)$`)

// regionOf is the region that the name of an API's own endpoint has in it.
func regionOf(host string) string {
	m := executeAPI.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return ""
	}
	return m[1]
}

// nobody makes calls that are open to all who reach the API.
type nobody struct{}

func (nobody) sign(context.Context, *http.Request, []byte, time.Time) error { return nil }

// sigV4 signs with AWS credentials, over a hash of the body.
type sigV4 struct {
	credentials aws.CredentialsProvider
	region      string
	signer      *v4.Signer
}

func (s sigV4) sign(ctx context.Context, r *http.Request, body []byte, now time.Time) error {
	creds, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("find credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := s.signer.SignHTTP(ctx, creds, r, hex.EncodeToString(sum[:]), signedService, s.region, now); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	return nil
}

// bearer carries the token that is in a file. Whoever renews it replaces the
// file; to read it for each call costs nothing beside the call.
type bearer struct{ file string }

func (b bearer) sign(_ context.Context, r *http.Request, _ []byte, _ time.Time) error {
	f, err := os.Open(b.file)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case len(text) > maxToken:
		return fmt.Errorf("read the token: the file is longer than %d bytes", maxToken)
	case token == "":
		return errors.New("read the token: the file is empty")
	case slices.ContainsFunc([]byte(token), func(c byte) bool { return c <= ' ' || c >= 0x7f }):
		return errors.New("read the token: there is more than a token in the file")
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return nil
}
