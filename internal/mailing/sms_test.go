package mailing_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestATextIsCountedAsTheShortMessagesThatItTakes(t *testing.T) {
	rep := strings.Repeat
	for name, c := range map[string]struct {
		text string
		want mailing.SMS
	}{
		"no text is one empty message":                          {"", mailing.SMS{Encoding: mailing.GSM7, Units: 0, Segments: 1}},
		"plain text":                                            {"Your order is ready", mailing.SMS{Encoding: mailing.GSM7, Units: 19, Segments: 1}},
		"all characters of one septet":                          {"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", mailing.SMS{Encoding: mailing.GSM7, Units: 44, Segments: 1}},
		"the characters of the extension take two septets each": {"\f^{}\\[~]|€", mailing.SMS{Encoding: mailing.GSM7, Units: 20, Segments: 1}},
		"160 septets fit":                                       {rep("a", 160), mailing.SMS{Encoding: mailing.GSM7, Units: 160, Segments: 1}},
		"161 septets make two parts":                            {rep("a", 161), mailing.SMS{Encoding: mailing.GSM7, Units: 161, Segments: 2}},
		"two parts of 153":                                      {rep("a", 306), mailing.SMS{Encoding: mailing.GSM7, Units: 306, Segments: 2}},
		"three parts":                                           {rep("a", 307), mailing.SMS{Encoding: mailing.GSM7, Units: 307, Segments: 3}},
		"160 septets of the extension fit":                      {rep("€", 80), mailing.SMS{Encoding: mailing.GSM7, Units: 160, Segments: 1}},
		"an escape stays with its character":                    {rep("a", 152) + "€" + rep("a", 152), mailing.SMS{Encoding: mailing.GSM7, Units: 306, Segments: 3}},
		"a part that ends after a pair is filled":               {rep("a", 151) + "€" + rep("a", 153), mailing.SMS{Encoding: mailing.GSM7, Units: 306, Segments: 2}},
		"a part of pairs has one septet left":                   {rep("€", 153), mailing.SMS{Encoding: mailing.GSM7, Units: 306, Segments: 3}},
		"a small c with a cedilla is not in the table":          {"ç", mailing.SMS{Encoding: mailing.UCS2, Units: 1, Segments: 1}},
		"a backtick is not in the table":                        {"`", mailing.SMS{Encoding: mailing.UCS2, Units: 1, Segments: 1}},
		"the escape itself is no character":                     {"\x1b", mailing.SMS{Encoding: mailing.UCS2, Units: 1, Segments: 1}},
		"one letter outside GSM-7 makes all of it UCS-2":        {rep("a", 70) + "я", mailing.SMS{Encoding: mailing.UCS2, Units: 71, Segments: 2}},
		"70 letters fit":                                        {rep("я", 70), mailing.SMS{Encoding: mailing.UCS2, Units: 70, Segments: 1}},
		"two parts of 67":                                       {rep("я", 134), mailing.SMS{Encoding: mailing.UCS2, Units: 134, Segments: 2}},
		"three parts in UCS-2":                                  {rep("я", 135), mailing.SMS{Encoding: mailing.UCS2, Units: 135, Segments: 3}},
		"an emoji takes two units":                              {"🙂", mailing.SMS{Encoding: mailing.UCS2, Units: 2, Segments: 1}},
		"35 emoji fit":                                          {rep("🙂", 35), mailing.SMS{Encoding: mailing.UCS2, Units: 70, Segments: 1}},
		"a surrogate pair stays together":                       {rep("я", 66) + "🙂" + rep("я", 66), mailing.SMS{Encoding: mailing.UCS2, Units: 134, Segments: 3}},
		"the longest text":                                      {rep("🙂", mailing.MaxText), mailing.SMS{Encoding: mailing.UCS2, Units: 3200, Segments: 49}},
	} {
		if diff := cmp.Diff(c.want, mailing.NewSMS(c.text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
