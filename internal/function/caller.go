package function

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	lambdahttp "github.com/awslabs/aws-lambda-go-api-proxy/core"

	"signpost/internal/httpapi"
)

// caller says who made a call, by what API Gateway's authorizer found.
func (s Settings) caller(r *http.Request) (httpapi.Caller, error) {
	rc, _ := lambdahttp.GetAPIGatewayV2ContextFromContext(r.Context())
	id := identityOf(rc.Authorizer)
	if id == "" && s.Local {
		return httpapi.Caller{ID: "local", AllClusters: true}, nil
	}
	if id == "" {
		return httpapi.Caller{}, errors.New("the event names no caller")
	}
	if s.Clusters == nil {
		return httpapi.Caller{ID: id, AllClusters: true}, nil
	}
	clusters := s.Clusters[id]
	return httpapi.Caller{ID: id, Clusters: clusters, AllClusters: slices.Contains(clusters, AllClusters)}, nil
}

// identityOf returns the name by which a caller owns sessions and stands in
// Clusters; "" if there is none.
func identityOf(a *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) string {
	switch {
	case a == nil:
		return ""
	case a.IAM != nil && a.IAM.UserARN != "":
		return identity(a.IAM.UserARN)
	case a.JWT == nil:
		return ""
	}
	if sub := a.JWT.Claims["sub"]; sub != "" {
		return sub
	}
	return a.JWT.Claims["client_id"] // an access token of a machine may have no subject
}

// identity returns the ARN of the role behind the ARN of one of its sessions,
// and any other name as it is. The names of sessions come and go with
// credentials, and a gateway that gets new ones is still the same. Nor does a
// session's ARN have the path of its role, so that is left out; a role's name
// is its account's only one without it.
func identity(name string) string {
	part := strings.SplitN(name, ":", 6) // arn:partition:service:region:account:resource
	if len(part) != 6 || part[0] != "arn" {
		return name
	}
	resource := strings.Split(part[5], "/")
	switch {
	case part[2] == "sts" && resource[0] == "assumed-role" && len(resource) == 3:
		return "arn:" + part[1] + ":iam::" + part[4] + ":role/" + resource[1]
	case part[2] == "iam" && resource[0] == "role" && len(resource) > 1:
		return "arn:" + part[1] + ":iam::" + part[4] + ":role/" + resource[len(resource)-1]
	}
	return name
}
