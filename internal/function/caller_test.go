package function_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

type authorizer = events.APIGatewayV2HTTPRequestContextAuthorizerDescription

func iam(arn string) *authorizer {
	return &authorizer{IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: arn}}
}

func jwt(claims map[string]string) *authorizer {
	return &authorizer{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims}}
}

func TestCallersAndClusters(t *testing.T) {
	const clusters = `{
		"arn:aws:iam::111122223333:role/path/of/shims": ["c", "d"],
		"arn:aws:iam::111122223333:user/ops": ["*"],
		"arn:aws-cn:iam::111122223333:role/shims": ["e"],
		"client-7": ["c"]
	}`
	for name, c := range map[string]struct {
		clusters string
		caller   *authorizer
		status   int
	}{
		"everybody":                   {"", iam(roleSession), 200},
		"nobody":                      {"", nil, 403},
		"an empty authorizer":         {"", &authorizer{}, 403},
		"a role by its session":       {clusters, iam(roleSession), 200},
		"another session of it":       {clusters, iam("arn:aws:sts::111122223333:assumed-role/shims/other"), 200},
		"the role of another account": {clusters, iam("arn:aws:sts::444455556666:assumed-role/shims/shim-1"), 403},
		"another partition":           {clusters, iam("arn:aws-cn:sts::111122223333:assumed-role/shims/shim-1"), 403},
		"another role":                {clusters, iam("arn:aws:sts::111122223333:assumed-role/shims2/shims"), 403},
		"a user with everything":      {clusters, iam("arn:aws:iam::111122223333:user/ops"), 200},
		"a user of that name as role": {clusters, iam("arn:aws:iam::111122223333:user/shims"), 403},
		"a token":                     {clusters, jwt(map[string]string{"sub": "client-7"}), 200},
		"a token of a client":         {clusters, jwt(map[string]string{"client_id": "client-7"}), 200},
		"a token of a stranger":       {clusters, jwt(map[string]string{"sub": "x", "client_id": "client-7"}), 403},
		"a token of nobody":           {"", jwt(nil), 403},
		"nothing for anybody":         {"{}", iam(roleSession), 403},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, map[string]string{"CLUSTERS": c.clusters})
			e := register()
			e.RequestContext.Authorizer = c.caller
			call(t, i.Register(), e, c.status)
		})
	}
}

// TestSAMLocalAuthorizesNobody: only there a call may come without a caller.
func TestSAMLocalAuthorizesNobody(t *testing.T) {
	i := newInstance(t, map[string]string{"AWS_SAM_LOCAL": "true"})
	e := register()
	e.RequestContext.Authorizer = nil
	call(t, i.Register(), e, 200)
}

// TestASessionBelongsToARole: not to one of its credentials, which come and go.
func TestASessionBelongsToARole(t *testing.T) {
	i := newInstance(t, nil)
	register := i.Register()
	call(t, register, event("PUT", "/v1/register/session", "id=s1&gateway=g&open=true", ""), 200)
	beat := event("PUT", "/v1/register/session", "id=s1", "")
	beat.RequestContext.Authorizer = iam("arn:aws:sts::111122223333:assumed-role/shims/renewed")
	call(t, register, beat, 200)
	beat.RequestContext.Authorizer = iam("arn:aws:sts::111122223333:assumed-role/others/shim-1")
	if out := call(t, register, beat, 403); !strings.Contains(out.Body, "not-owner") {
		t.Errorf("refused by %s", out.Body)
	}
}
