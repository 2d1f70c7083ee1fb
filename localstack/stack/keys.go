package stack

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/keys"
	"postrider/internal/mailing"
)

// The keys of a stack on this machine need not be secret: no other machine reaches the
// stack.
const (
	AdminKey  = "local-admin"
	ViewerKey = "local-viewer"
)

// keysParameter is the template's parameter that names the SSM parameter with the
// hashes of the keys.
const keysParameter = "KeysParameter"

// putKeys writes the local keys into the SSM parameter that the functions read, as a
// person does once on AWS. It keeps an existing value: a person may have changed it.
// parameter is empty if the template has no keys; then putKeys does nothing.
func putKeys(ctx context.Context, cfg aws.Config, parameter string) error {
	if parameter == "" {
		return nil
	}
	lines := keys.Line(mailing.Caller{Name: AdminKey, Role: mailing.Admin}, AdminKey) + "\n" +
		keys.Line(mailing.Caller{Name: ViewerKey, Role: mailing.Viewer}, ViewerKey)
	_, err := ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{
		Name: &parameter, Value: &lines, Type: types.ParameterTypeString,
	})
	var there *types.ParameterAlreadyExists
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("write the local keys to the SSM parameter %s: %w", parameter, err)
	}
	return nil
}
