// The index editor: further rows for fields.

const rows = document.querySelector("#rows");
const fields = document.querySelector("#fields");
const add = document.querySelector("#add");

/** Most rows that the server takes. */
const ROWS_MAX = 1000;

add.hidden = false;
add.addEventListener("click", () => {
    const number = Number(rows.value);
    if (number >= ROWS_MAX) return;
    const row = fields.lastElementChild.cloneNode(true);
    for (const control of row.querySelectorAll("[name]")) {
        const kind = control.name.replace(/-\d+$/, "");
        control.name = `${kind}-${number}`;
        if (control.ariaLabel) control.ariaLabel = control.ariaLabel.replace(/\S+$/, String(number + 1));
        if (["name", "alias", "sub", "depth"].includes(kind)) control.value = "";
        if (control.type === "checkbox") control.checked = kind === "analytics";
    }
    fields.append(row);
    rows.value = String(number + 1);
    row.querySelector("input").focus();
});
