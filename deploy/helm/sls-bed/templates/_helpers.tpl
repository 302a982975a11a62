{{/* What every object carries. */}}
{{- define "sls-bed.labels" -}}
app.kubernetes.io/part-of: sls-bed
{{- end }}

{{/* Reference of an image: (list $ "operator"). */}}
{{- define "sls-bed.image" -}}
{{- $images := (index . 0).Values.images -}}
{{- with $images.prefix }}{{ . }}/{{ end }}{{ index . 1 }}:{{ $images.tag }}
{{- end }}

{{/* Name of the Secret with the key pair. */}}
{{- define "sls-bed.secret" -}}
{{- .Values.credentials.existingSecret | default "sls-credentials" -}}
{{- end }}

{{/* Annotation of a pod that reads the key pair when it starts: another pair, another pod. The default
     pair has none, as in deploy/kustomize. Eight digits tell pairs apart and are too few to try out
     secrets against. */}}
{{- define "sls-bed.pair" -}}
{{- with .Values.credentials -}}
{{- $pair := printf "%s:%s" .accessKeyId .accessKeySecret -}}
{{- if not (or .existingSecret (eq $pair "mockAccessKeyId:mockAccessKeySecret")) -}}
checksum/credentials: {{ sha256sum $pair | trunc 8 | quote }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* host:port of the emulator, for pods of all namespaces. */}}
{{- define "sls-bed.address" -}}
mock-sls.{{ .Release.Namespace }}.svc:8080
{{- end }}

{{/* Where the operator finds Log Service. */}}
{{- define "sls-bed.endpoint" -}}
{{- if .Values.operator.endpoint -}}
{{ .Values.operator.endpoint }}
{{- else if .Values.mockSls.enabled -}}
http://{{ include "sls-bed.address" . }}
{{- else -}}
{{ fail "mockSls.enabled is false: say in operator.endpoint where Log Service is" }}
{{- end }}
{{- end }}

{{/* Not empty if there is a webhook: it is for all namespaces, so not with one that is watched alone. */}}
{{- define "sls-bed.webhook" -}}
{{- with .Values.operator -}}
{{- if and .enabled .webhook.enabled (empty .watchNamespace) -}}
yes
{{- end -}}
{{- end -}}
{{- end }}

{{/* What a container may not do. */}}
{{- define "sls-bed.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Of what is there for the time of an uninstallation only; its argument is the order. */}}
{{- define "sls-bed.before-uninstall" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
