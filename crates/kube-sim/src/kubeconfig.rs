//! The kubeconfig that points at this server.

/// A token, because some clients insist on credentials; its bearer may do
/// everything.
pub const TOKEN: &str = "kube-sim";

/// A kubeconfig for a server at `url`.
pub fn render(url: &str, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: kube-sim
  cluster:
    server: {url}
contexts:
- name: kube-sim
  context:
    cluster: kube-sim
    namespace: default
    user: kube-sim
current-context: kube-sim
preferences: {{}}
users:
- name: kube-sim
  user:
    token: {token}
"
    )
}
