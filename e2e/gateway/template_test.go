package gateway_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"signpost/e2e/gateway"
)

const smallTemplate = `
Parameters:
  Issuer: {Type: String, Default: ""}
  Rate: {Type: Number, Default: 7}
Conditions:
  UseJwt: !Not [!Equals [!Ref Issuer, ""]]
Globals:
  Function: {Environment: {Variables: {TABLE: !Ref Table, LEVEL: INFO}}}
Resources:
  Table: {Type: AWS::DynamoDB::GlobalTable}
  F:
    Type: AWS::Serverless::Function
    Properties:
      MemorySize: 512
      Timeout: 28
      Environment: {Variables: {LEVEL: DEBUG, WHO: !If [UseJwt, !Ref Issuer, !Ref AWS::NoValue]}}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {StageName: $default, DefaultRouteSettings: {ThrottlingRateLimit: !Ref Rate, ThrottlingBurstLimit: 9}}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      IntegrationUri: !Sub arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations
      PayloadFormatVersion: "2.0"
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref F, SourceArn: !Sub "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*/v1/read/*"}
  Read:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      RouteKey: GET /v1/read/route
      Target: !Sub integrations/${Integration}
      AuthorizationType: !If [UseJwt, JWT, NONE]
      AuthorizationScopes: !If [UseJwt, [!Sub "${Issuer}/read"], !Ref AWS::NoValue]
  Other:
    Type: AWS::ApiGatewayV2::Route
    Properties: {RouteKey: GET /v1/other, Target: !Sub "integrations/${Integration}", AuthorizationType: NONE}
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement:
          - {Effect: Allow, Action: execute-api:Invoke, Resource: [!Sub "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/$default/GET/v1/read/*"]}
`

func readSmall(t *testing.T, values map[string]string) *gateway.Stack {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte(smallTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := gateway.ReadStack(path, values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestATemplateIsRead(t *testing.T) {
	s := readSmall(t, map[string]string{"Table": "t-1", "Api": "a1b2c3d4e5"})
	if s.Stage != "$default" || s.Rate != 7 || s.Burst != 9 {
		t.Errorf("stage %s, rate %v, burst %v", s.Stage, s.Rate, s.Burst)
	}
	f := s.Functions["F"]
	if _, ok := f.Env["WHO"]; ok || f.Env["TABLE"] != "t-1" || f.Env["LEVEL"] != "DEBUG" || f.Memory != 512 || f.Timeout != 28*time.Second {
		t.Errorf("function is %v", f)
	}
	if len(s.Routes) != 2 || s.Routes[0].Auth != gateway.NoAuth || s.Targets["GET /v1/read/route"] != "F" {
		t.Errorf("routes are %v, targets %v", s.Routes, s.Targets)
	}
	p := s.Policies["Policy"]
	const api = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/$default/GET"
	if !p.Allows(api+"/v1/read/route") || p.Allows(api+"/v1/other") {
		t.Errorf("policy is %v", p)
	}
}

func TestParametersChangeATemplate(t *testing.T) {
	s := readSmall(t, map[string]string{"Issuer": "https://issuer.test"})
	if r := s.Routes[0]; r.Auth != gateway.JWT || len(r.Scopes) != 1 || r.Scopes[0] != "https://issuer.test/read" {
		t.Errorf("route is %v", r)
	}
	if got := s.Functions["F"].Env["WHO"]; got != "https://issuer.test" {
		t.Errorf("WHO is %q", got)
	}
}

func TestAFunctionHasToPermitItsRoutes(t *testing.T) {
	g, err := readSmall(t, map[string]string{"Api": "a1b2c3d4e5"}).Gateway(map[string]gateway.Function{"F": &capture{}}, gateway.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/v1/read/route": 200, "/v1/other": 500} {
		if resp, body := call(t, g, request("GET", path, nil)); resp.StatusCode != want {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if _, err := readSmall(t, nil).Gateway(nil, gateway.Options{}); err == nil {
		t.Error("a stack without its function made a gateway")
	}
}
