// Package stack runs what template.yaml describes on one machine: the three
// function binaries under the Lambda runtime emulator, behind e2e/gateway, over
// DynamoDB Local, with a stand-in for the event bus. Routes, permissions,
// throttling and the functions' environment are the template's own.
package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/e2e/gateway"
	"signpost/e2e/gateway/emulator"
	"signpost/internal/dynamo"
)

// Region is where everything pretends to be.
const Region = "eu-central-1"

// Logical ids of the template.
const (
	Register = "RegisterFunction"
	Route    = "RouteFunction"
	Sweeper  = "SweeperFunction"
)

// Access keys of the users that a Stack knows. Each has the policies of its
// name; Master has all three. All but Limited may write every cluster.
const (
	Reader    = "AKIDREADER"
	Registrar = "AKIDREGISTRAR"
	Admin     = "AKIDADMIN"
	Master    = "AKIDMASTER"
	GatewayA  = "AKIDGATEWAYA" // read and register
	GatewayB  = "AKIDGATEWAYB" // read and register
	Limited   = "AKIDLIMITED"  // read and register, of LimitedCluster only
	Nobody    = "AKIDNOBODY"
)

// LimitedCluster is the only one that Limited writes.
const LimitedCluster = "limited"

// policiesOf are the template's policies that each user has.
var policiesOf = map[string][]string{
	Reader: {"ReadPolicy"}, Registrar: {"RegisterPolicy"}, Admin: {"AdminPolicy"},
	Master:   {"ReadPolicy", "RegisterPolicy", "AdminPolicy"},
	GatewayA: {"ReadPolicy", "RegisterPolicy"}, GatewayB: {"ReadPolicy", "RegisterPolicy"}, Limited: {"ReadPolicy", "RegisterPolicy"},
	Nobody: {},
}

// Options say what to run.
type Options struct {
	Root     string // of the repository
	Binaries *Binaries
	DynamoDB string // host:port of DynamoDB Local
	// Table is an existing table; "" makes a new one.
	Table string
	// Parameters are the template's that have another value than the default.
	Parameters map[string]string
	// Issuer checks tokens, if the parameters ask for JWTs.
	Issuer *gateway.Issuer
	// Now is the API's clock, by which it judges signatures; nil for time.Now.
	Now func() time.Time
	// Metered has DynamoDB tell what every call consumes, for Proxy.Units.
	Metered bool
	// Concurrency is of each function, 0 for 8.
	Concurrency int
	// Started gets the process id of each new emulator.
	Started func(pid int) error
}

// Stack is a running stack.
type Stack struct {
	Table     string
	Endpoint  string // of the API
	DynamoDB  *Proxy // what the functions use
	Bus       *Bus
	Functions map[string]*emulator.Function
	Users     map[string]gateway.User

	server *httptest.Server
}

// Start makes the table and starts everything; functions start with their
// first event.
func Start(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{Table: o.Table, Bus: newBus(), Functions: map[string]*emulator.Function{}}
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if s.Table == "" {
		s.Table = "signpost-" + rand.Text()[:10]
		if err := createTable(ctx, o.DynamoDB, s.Table); err != nil {
			return nil, fmt.Errorf("start stack: %w", err)
		}
	}
	s.DynamoDB = newProxy(o.DynamoDB, o.Metered)
	clusters := map[string][]string{}
	for key := range policiesOf {
		clusters[arn(key)] = []string{"*"}
	}
	clusters[arn(Limited)] = []string{LimitedCluster}
	list, err := json.Marshal(clusters)
	if err != nil {
		return nil, fmt.Errorf("start stack: %w", err)
	}
	const api = "a1b2c3d4e5"
	values := map[string]string{
		"Table": s.Table, "EventBus": "signpost", "Api": api, "AWS::Region": Region, "Clusters": string(list),
		"DynamoDBEndpoint": s.DynamoDB.URL(), "EventBridgeEndpoint": s.Bus.URL(),
	}
	maps.Copy(values, o.Parameters)
	template, err := gateway.ReadStack(filepath.Join(o.Root, "template.yaml"), values)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("start stack: %w", err)
	}
	functions := map[string]gateway.Function{}
	for id, binary := range o.Binaries.functions {
		c, ok := template.Functions[id]
		if !ok {
			s.Close()
			return nil, fmt.Errorf("start stack: the template has no %s", id)
		}
		env := []string{"AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_LAMBDA_FUNCTION_NAME=" + id}
		for name, value := range c.Env {
			env = append(env, name+"="+value)
		}
		s.Functions[id] = emulator.New(emulator.Options{
			Emulator: o.Binaries.emulator, Binary: binary, Env: env, Concurrency: o.Concurrency, Timeout: c.Timeout, Memory: c.Memory, Started: o.Started,
		})
		functions[id] = s.Functions[id]
	}
	s.Users = users(template)
	g, err := template.Gateway(functions, gateway.Options{Users: s.Users, Issuer: o.Issuer, Region: Region, API: api, Now: o.Now})
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("start stack: %w", err)
	}
	s.server = httptest.NewServer(g)
	s.Endpoint = s.server.URL
	return s, nil
}

// users are everybody of policiesOf, with the policies of the template.
func users(template *gateway.Stack) map[string]gateway.User {
	all := map[string]gateway.User{}
	for key, names := range policiesOf {
		u := gateway.User{ARN: arn(key), Secret: "secret of " + key}
		for _, n := range names {
			u.Policies = append(u.Policies, template.Policies[n])
		}
		all[key] = u
	}
	return all
}

func arn(key string) string { return "arn:aws:iam::123456789012:user/" + key }

// Close ends everything. Nothing is left but the table.
func (s *Stack) Close() {
	for _, f := range s.Functions {
		f.Close()
	}
	s.Bus.close() // before the server: a function that waits for it lets its call go
	s.DynamoDB.close()
	if s.server != nil {
		s.server.Close()
	}
}

// As is a caller with that access key.
func (s *Stack) As(key string) *gateway.Caller {
	return &gateway.Caller{Endpoint: s.Endpoint, Region: Region, Key: key, User: s.Users[key]}
}

// Tick is one tick of the schedule, at that time.
func (s *Stack) Tick(ctx context.Context, at time.Time) error {
	event, err := json.Marshal(map[string]string{"time": at.UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	_, err = s.Functions[Sweeper].Invoke(ctx, event)
	return err
}

// createTable makes the table that the store wants.
func createTable(ctx context.Context, addr, name string) error {
	client := awsdynamodb.NewFromConfig(Config("http://" + addr))
	if _, err := client.CreateTable(ctx, dynamo.Definition(name)); err != nil {
		return fmt.Errorf("create table: %w", err)
	}
	return nil
}

// Config leads to a stand-in of an AWS service.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region: Region, BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
}
