package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"

	"signpost/internal/config"
	"signpost/internal/dynamo"
	"signpost/internal/eventbridge"
)

// connectTime is how long the table may take to answer at start: its five
// attempts and the credentials before them.
const connectTime = 10 * time.Second

// openTable works on a DynamoDB table that others may work on too. Where it
// is, and by whose leave, is the SDK's own configuration: AWS_REGION,
// AWS_ACCESS_KEY_ID and its like, AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB.
func (a *app) openTable(ctx context.Context, where config.Storage) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithLogger(sdkLog{a.log}))
	switch {
	case err != nil:
		return fmt.Errorf("store: the AWS configuration: %w", err)
	case cfg.Region == "":
		return errors.New("store: no AWS region is set, AWS_REGION for one")
	}
	table := dynamo.New(cfg, where.Store.Table)
	if err := table.Ping(ctx); err != nil {
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) {
			return fmt.Errorf("store: there is no table %s in %s", where.Store.Table, cfg.Region)
		}
		return fmt.Errorf("store: %w", err)
	}
	// Two processes name their leases differently, so that the end of a
	// broker's connection to one leaves the other's lease alone. After a
	// restart the brokers come back under a new name, and the leases under the
	// old one run out by themselves.
	front := "tcp-" + strings.ToLower(rand.Text()[:10])
	a.storage = storage{Store: table, table: table, now: table.Now, front: front}
	if where.EventBus != "" {
		a.storage.bus = eventbridge.New(eventbridge.NewClient(cfg), where.EventBus)
	}
	if info, err := os.Stat(where.KVConfigPath); err == nil && info.Size() > 0 {
		a.log.Warn("KV lives in the table: the file of kvConfigPath is neither read nor written", "file", where.KVConfigPath)
	}
	return nil
}

// sdkLog is what the SDK has to say beside its errors: of use to those only who
// look for a fault in it.
type sdkLog struct{ log *slog.Logger }

// Logf logs for debugging, whatever the SDK takes it for.
func (l sdkLog) Logf(_ logging.Classification, format string, v ...any) {
	l.log.Debug("the AWS SDK says", "text", fmt.Sprintf(format, v...))
}
