package infra_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"signpost/internal/httpapi"
)

// routeOf cuts a route key, such as GET /v1/read/route.
func routeOf(r resource) (key, class string) {
	key = r.properties["RouteKey"].(string)
	return key, strings.Split(key, "/")[2]
}

func TestRoutesAreThoseOfTheAPIAndItsDescription(t *testing.T) {
	var routed, described []string
	for _, r := range readTemplate(t).of("AWS::ApiGatewayV2::Route") {
		key, _ := routeOf(r)
		routed = append(routed, key)
	}
	api, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range api.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	slices.Sort(routed)
	slices.Sort(described)
	if served := httpapi.Routes(); !slices.Equal(routed, served) || !slices.Equal(described, served) {
		t.Errorf("the template routes %q\nopenapi.yaml describes %q\nthe handlers serve %q", routed, described, served)
	}
}

func TestEveryRouteIsOfItsClassOnly(t *testing.T) {
	stack := readTemplate(t)
	policies := map[string][]string{} // class -> ARNs
	for _, class := range []string{"Read", "Register", "Admin"} {
		p := stack.named(class + "Policy")
		for _, s := range at(p.properties, "PolicyDocument", "Statement").([]any) {
			if at(s, "Effect") != "Allow" || at(s, "Action") != "execute-api:Invoke" {
				t.Errorf("%s: %v is more than calling the API", p.id, s)
			}
			for _, arn := range list(at(s, "Resource")) {
				if !strings.HasSuffix(arn, "/v1/"+strings.ToLower(class)+"/*") || strings.Count(arn, "*") != 1 {
					t.Errorf("%s: %s leaves room for what is to come", p.id, arn)
				}
				policies[strings.ToLower(class)] = append(policies[strings.ToLower(class)], arn)
			}
		}
	}
	if n := len(stack.of("AWS::IAM::ManagedPolicy")); n != len(policies) {
		t.Errorf("there are %d managed policies", n)
	}
	for _, r := range stack.of("AWS::ApiGatewayV2::Route") {
		key, class := routeOf(r)
		method, path, _ := strings.Cut(key, " ")
		const api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/"
		for of, arns := range policies {
			if allowed := matches(arns, api+"$default/"+method+path); allowed != (of == class) {
				t.Errorf("%s: the %s policy allows it: %v", key, of, allowed)
			}
		}
		function := "Register"
		if class == "read" {
			function = "Route"
		}
		if got := at(r.properties, "Target", "Fn::Sub"); got != "integrations/${"+function+"Integration}" {
			t.Errorf("%s goes to %v", key, got)
		}
		var permitted []string
		for _, p := range stack.of("AWS::Lambda::Permission") {
			if at(p.properties, "FunctionName", "Ref") == function+"Function" {
				permitted = append(permitted, list(p.properties["SourceArn"])...)
			}
		}
		if !matches(permitted, api+"$default/"+method+path) {
			t.Errorf("%s: the API may not invoke %sFunction for it", key, function)
		}
		// The authorizer that is the parameter's, and none else.
		auth, _ := at(r.properties, "AuthorizationType", "Fn::If").([]any)
		if !slices.Equal(auth, []any{"UseJwt", "JWT", "AWS_IAM"}) {
			t.Errorf("%s: AuthorizationType is %v", key, auth)
		}
		scopes, _ := at(r.properties, "AuthorizationScopes", "Fn::If").([]any)
		if len(scopes) != 3 || !slices.Equal(list(scopes[1]), []string{"${JwtScopePrefix}" + class}) {
			t.Errorf("%s: with JWTs its scopes are %v", key, scopes)
		}
	}
}

// matches tells whether a pattern of IAM matches an ARN.
func matches(patterns []string, arn string) bool {
	for _, p := range patterns {
		if regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*") + "$").MatchString(arn) {
			return true
		}
	}
	return false
}

func TestIntegrationsGoToTheirFunctions(t *testing.T) {
	for _, r := range readTemplate(t).of("AWS::ApiGatewayV2::Integration") {
		function := "functions/${" + strings.TrimSuffix(r.id, "Integration") + "Function.Arn}/invocations"
		if uri := list(r.properties["IntegrationUri"])[0]; !strings.HasSuffix(uri, function) || r.properties["PayloadFormatVersion"] != "2.0" {
			t.Errorf("%s: %s, payload format %v", r.id, uri, r.properties["PayloadFormatVersion"])
		}
	}
}
