// Curves over epochs, drawn by Plotly in the page's own colours.

const LINES = ["--line-1", "--line-2", "--line-3"];

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Draw curves into an element. A curve is `{name, x, y, second}`; `second` puts it on a right axis.
 * `target` is a value that gets a dashed line of its own.
 */
export function drawCurves(element, curves, { target = null, targetName = "target", second = null } = {}) {
  const ink = style("--ink-soft"), line = style("--rule");
  const traces = curves.map(({ name, x, y, second: isSecond }, index) => ({
    name, x, y, yaxis: isSecond ? "y2" : "y",
    mode: x.length > 1 ? "lines" : "markers",
    line: { color: style(LINES[index]), width: 2.2, dash: isSecond ? "dot" : "solid" },
    marker: { color: style(LINES[index]), size: 7 },
    hovertemplate: `%{y:.4g}<extra>${name}</extra>`,
  }));
  const axis = { gridcolor: line, linecolor: line, zeroline: false, tickfont: { color: ink }, automargin: true };
  const layout = {
    height: 260,
    margin: { l: 48, r: second ? 48 : 12, t: 8, b: 36 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style("--font"), size: 12, color: ink },
    hovermode: "x unified",
    hoverlabel: { bgcolor: style("--card"), bordercolor: line, font: { color: style("--ink") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    xaxis: { ...axis, title: { text: "epoch", font: { color: ink } } },
    yaxis: { ...axis, rangemode: "tozero" },
    shapes: [], annotations: [],
  };
  if (second) layout.yaxis2 = { ...axis, overlaying: "y", side: "right", showgrid: false, rangemode: "tozero",
    tickmode: "auto", nticks: 5, tickformat: ".2~f" };
  if (target !== null) {
    const mark = style("--mark");
    layout.shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: target, y1: target,
      line: { color: mark, width: 1.6, dash: "dash" } });
    layout.annotations.push({ xref: "paper", x: 1, xanchor: "right", y: target, yanchor: "top",
      text: targetName, showarrow: false, font: { color: mark } });
  }
  window.Plotly.react(element, traces, layout, { displayModeBar: false, responsive: true });
}
