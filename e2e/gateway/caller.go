package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Caller makes signed calls, as one user.
type Caller struct {
	// Endpoint is the URL of a Gateway, Region what it is signed for.
	Endpoint, Region string
	// Key is the access key id of User; without one, calls are not signed.
	Key  string
	User User
	// Token, if set, is sent instead.
	Token string
	// Now is time.Now unless it is set.
	Now func() time.Time
}

// Reply is an answer, read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

func (r *Reply) String() string {
	return fmt.Sprintf("%d %s %.500s", r.Status, r.Header.Get("Content-Type"), r.Body)
}

// callers share connections; the transport inflates nothing by itself.
var callers = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}, Timeout: time.Minute}

// Do makes one call. headers are names and values in turn.
func (c *Caller) Do(ctx context.Context, method, target string, body []byte, headers ...string) (*Reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.Endpoint+target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	switch {
	case c.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.Token)
	case c.Key != "":
		now := time.Now
		if c.Now != nil {
			now = c.Now
		}
		sum := sha256.Sum256(body)
		creds := aws.Credentials{AccessKeyID: c.Key, SecretAccessKey: c.User.Secret, SessionToken: c.User.Session}
		if err := v4.NewSigner().SignHTTP(ctx, creds, r, hex.EncodeToString(sum[:]), signingService, c.Region, now()); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, target, err)
		}
	}
	resp, err := callers.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	return &Reply{Status: resp.StatusCode, Header: resp.Header, Body: said}, nil
}
