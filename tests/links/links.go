// Mints and opens link tokens with Go's standard library; see docs/link-format.md.
// usage: links mint|open: one JSON object a line in, one a line out.
package main

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
)

var texts = []string{"account", "campaign", "message", "template", "list", "recipient", "link", "link_name"}

type key struct{ ID, Secret string }

type work struct {
	Key    key
	Host   string
	Salt   string
	Token  string
	Claims map[string]any
}

func gcm(k key, salt []byte) cipher.AEAD {
	secret, _ := base64.RawURLEncoding.DecodeString(k.Secret)
	mac := hmac.New(sha256.New, secret)
	mac.Write(salt)
	block, _ := aes.NewCipher(mac.Sum(nil))
	aead, _ := cipher.NewGCM(block)
	return aead
}

func payload(claims map[string]any) []byte {
	var out bytes.Buffer
	field := func(tag byte, content []byte) {
		out.WriteByte(tag)
		binary.Write(&out, binary.BigEndian, uint16(len(content)))
		out.Write(content)
	}
	url, isClick := claims["url"].(string)
	if isClick {
		out.WriteByte(1)
		field(1, []byte(url))
	} else {
		out.WriteByte(2)
	}
	for index, name := range texts {
		if text, ok := claims[name].(string); ok {
			field(byte(index+2), []byte(text))
		}
	}
	if position, ok := claims["link_position"].(float64); ok {
		field(10, binary.BigEndian.AppendUint32(nil, uint32(position)))
	}
	if sent, ok := claims["sent_at"].(float64); ok {
		field(11, binary.BigEndian.AppendUint64(nil, uint64(sent)))
	}
	if pairs, ok := claims["meta"].([]any); ok {
		for _, pair := range pairs {
			p := pair.([]any)
			field(12, []byte(p[0].(string)+"\x00"+p[1].(string)))
		}
	}
	return out.Bytes()
}

func read(data []byte) map[string]any {
	claims := map[string]any{}
	for at := 1; at < len(data); {
		tag, length := data[at], int(binary.BigEndian.Uint16(data[at+1:]))
		content := data[at+3 : at+3+length]
		at += 3 + length
		switch {
		case tag == 1:
			claims["url"] = string(content)
		case tag >= 2 && tag <= 9:
			claims[texts[tag-2]] = string(content)
		case tag == 10:
			claims["link_position"] = binary.BigEndian.Uint32(content)
		case tag == 11:
			claims["sent_at"] = binary.BigEndian.Uint64(content)
		case tag == 12:
			name, value, _ := bytes.Cut(content, []byte{0})
			pairs, _ := claims["meta"].([][]string)
			claims["meta"] = append(pairs, []string{string(name), string(value)})
		}
	}
	return claims
}

func mint(w work) any {
	salt := make([]byte, 16)
	if w.Salt != "" {
		salt, _ = hex.DecodeString(w.Salt)
	} else {
		rand.Read(salt)
	}
	id, _ := hex.DecodeString(w.Key.ID)
	head := append([]byte{1}, id...)
	associated := append(append([]byte{}, head...), w.Host...)
	sealed := gcm(w.Key, salt).Seal(nil, make([]byte, 12), payload(w.Claims), associated)
	token := append(append(head, salt...), sealed...)
	return map[string]any{"token": base64.RawURLEncoding.EncodeToString(token)}
}

func open(w work) any {
	refused := map[string]any{"refused": true}
	data, err := base64.RawURLEncoding.DecodeString(w.Token)
	if err != nil || len(data) < 38 || data[0] != 1 || hex.EncodeToString(data[1:5]) != w.Key.ID {
		return refused
	}
	associated := append(append([]byte{}, data[:5]...), w.Host...)
	plain, err := gcm(w.Key, data[5:21]).Open(nil, make([]byte, 12), data[21:], associated)
	if err != nil {
		return refused
	}
	return map[string]any{"claims": read(plain)}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var w work
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			panic(err)
		}
		result := open(w)
		if os.Args[1] == "mint" {
			result = mint(w)
		}
		text, _ := json.Marshal(result)
		fmt.Println(string(text))
	}
}
